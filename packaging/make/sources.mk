# What belongs to what. Folders, not lists: see the head of the Makefile.

objects = $(patsubst %.c,$(O)/%.o,$(1))
sources = $(wildcard $(addsuffix /*.c,$(1)))

LIB_DIRS    := lib/base lib/json lib/crypto lib/varlink
CLIENT_SRC  := $(call sources,lib/client)
LIB_SRC     := $(call sources,$(LIB_DIRS))
# libtenant needs neither OpenSSL nor YAML: only these parts of lib/ go into it.
LIBTENANT_SRC := $(call sources,lib/base lib/json lib/varlink lib/client)

AGENT_DIRS  := agent/directory agent/policy agent/credential agent/login agent/session agent/audit \
               agent/server agent/map_writer agent/helper
AGENT_SRC   := $(filter-out agent/main.c agent/helper/main.c,$(call sources,agent $(AGENT_DIRS)))
CTL_SRC     := $(call sources,agent/ctl)

NSS_SRC     := $(filter-out nss_module/subid%.c,$(call sources,nss_module))
SUBID_SRC   := $(filter nss_module/subid%.c,$(call sources,nss_module)) $(wildcard nss_module/map_*.c)
PAM_SRC     := $(call sources,pam_module)

UNIT_TESTS   := $(wildcard tests/unit/test_*.c)
FUZZ_TARGETS := $(wildcard tests/fuzz/fuzz_*.c)
BENCHES      := $(wildcard tests/bench/bench_*.c)
TEST_COMMON  := $(filter-out $(UNIT_TESTS),$(call sources,tests/unit tests/fakes))
BENCH_COMMON := $(filter-out $(BENCHES),$(call sources,tests/bench))

ALL_SRC := $(LIB_SRC) $(CLIENT_SRC) $(AGENT_SRC) agent/main.c agent/helper/main.c $(CTL_SRC) $(call sources,nss_module pam_module)
