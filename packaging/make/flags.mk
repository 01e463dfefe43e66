# Compiler flags and the libraries we stand on, with the oldest version of each that we accept.

# package:minimum:Debian package that brings it
PACKAGES := libsystemd:252:libsystemd-dev jansson:2.14:libjansson-dev yaml-0.1:0.2.5:libyaml-dev \
            libcrypto:3.0:libssl-dev jose:11:libjose-dev libzstd:1.5:libzstd-dev libcurl:7.88:libcurl4-openssl-dev \
            libpq:15:libpq-dev libmicrohttpd:0.9.75:libmicrohttpd-dev gnutls:3.7:libgnutls28-dev libxcrypt:4.4:libcrypt-dev \
            libqrencode:4.1:libqrencode-dev
PACKAGES_TEST := cmocka:1.1.5:libcmocka-dev

need_package = $(if $(shell $(PKG_CONFIG) --exists '$(word 1,$(1)) >= $(word 2,$(1))' && echo yes),,\
  $(error $(word 1,$(1)) >= $(word 2,$(1)) is missing: apt-get install $(word 3,$(1))))

ifneq ($(filter-out help clean distclean deps check bench demo demo-host deb .ci,$(or $(MAKECMDGOALS),all)),)
ifeq ($(shell command -v $(PKG_CONFIG)),)
$(error pkg-config is missing: apt-get install pkg-config)
endif
$(foreach p,$(PACKAGES),$(call need_package,$(subst :,$(space),$(p))))
ifeq ($(wildcard /usr/include/security/pam_modules.h),)
$(error the PAM headers are missing: apt-get install libpam0g-dev)
endif
endif

pkg_names  := $(foreach p,$(PACKAGES),$(word 1,$(subst :,$(space),$(p))))
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(pkg_names) 2>/dev/null)
JSON_LIBS    := -ljansson
AGENT_LIBS   := -lsystemd -lcurl -ljose -ljansson -lyaml -lzstd -lqrencode -lssl -lcrypto -lpthread
CONTROL_LIBS := -lmicrohttpd -lgnutls -lpq -lcrypt $(AGENT_LIBS)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
            -Wpointer-arith -Wwrite-strings -Wundef -Wformat=2 -Wvla -Wcast-qual -Wredundant-decls \
            -Wswitch-enum -Wimplicit-fallthrough -Wno-unused-parameter
WARNINGS_DEV := -Werror

cc_has = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null 2>/dev/null && echo '$(1)')

CFLAGS   ?= -O2 -g
# The control plane's own headers are named from the root ("control_plane/…"), so the agent's never stand in for them.
CPPFLAGS += -Iinclude -Ilib -Iagent -I. -D_GNU_SOURCE -DTENANTD_VERSION='"$(VERSION)"'
# Sections for each function, so that a library that is loaded at every login carries nothing that it does not call.
BASE_CFLAGS := -std=gnu17 -fPIC -fvisibility=hidden -fno-strict-aliasing -fno-common -ffunction-sections \
               -fdata-sections $(WARNINGS) \
               $(if $(DEV),$(WARNINGS_DEV)) $(PKG_CFLAGS)
BASE_LDFLAGS := -Wl,--as-needed -Wl,-z,relro,-z,now,-z,noexecstack,-z,defs -Wl,-O1,--gc-sections

ifneq ($(HARDENING),0)
BASE_CFLAGS += -fstack-protector-strong $(call cc_has,-fstack-clash-protection) $(call cc_has,-fcf-protection=full) \
               $(call cc_has,-ftrivial-auto-var-init=zero)
ifeq ($(SANITIZE),)
BASE_CFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
endif

ifneq ($(SANITIZE),)
BASE_CFLAGS  += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
BASE_LDFLAGS := -fsanitize=$(SANITIZE) -Wl,--as-needed
endif
