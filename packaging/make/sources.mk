# What belongs to what. Folders, not lists: see the head of the Makefile.

objects = $(patsubst %.c,$(O)/%.o,$(1))
sources = $(wildcard $(addsuffix /*.c,$(1)))

LIB_DIRS    := lib/base lib/json lib/yaml lib/crypto lib/jose lib/records lib/feed lib/http lib/oidc lib/varlink \
               lib/tlog lib/trail lib/ship
CLIENT_SRC  := $(call sources,lib/client)
LIB_SRC     := $(call sources,$(LIB_DIRS))
# libtenant needs neither OpenSSL nor YAML: only these parts of lib/ go into it.
LIBTENANT_SRC := $(call sources,lib/base lib/json lib/varlink lib/client)

AGENT_DIRS  := agent/directory agent/policy agent/credential agent/login agent/session agent/reaper agent/audit \
               agent/feed agent/spool agent/shipping agent/sso agent/thread agent/server agent/map_writer agent/helper
AGENT_SRC   := $(filter-out agent/main.c agent/helper/main.c,$(call sources,agent $(AGENT_DIRS)))
CTL_SRC     := $(call sources,agent/ctl)

CONTROL_DIRS := control_plane/http control_plane/db control_plane/auth control_plane/api control_plane/feed control_plane/provider \
                control_plane/audit control_plane/cli
CONTROL_SRC  := $(filter-out control_plane/main.c,$(call sources,control_plane $(CONTROL_DIRS)))
CONTROL_SQL  := $(sort $(wildcard control_plane/db/migrations/*.sql))

NSS_SRC     := $(filter-out nss_module/subid%.c,$(call sources,nss_module))
SUBID_SRC   := $(filter nss_module/subid%.c,$(call sources,nss_module)) $(wildcard nss_module/map_*.c)
PAM_SRC     := $(call sources,pam_module)

# What tests the control plane has folders of its own, since it links the control plane and not the agent.
CONTROL_UNIT_TESTS := $(wildcard tests/unit/control/test_*.c)
CONTROL_TEST_COMMON := $(filter-out $(CONTROL_UNIT_TESTS),$(call sources,tests/unit/control))
CONTROL_FUZZ_TARGETS := $(wildcard tests/fuzz/control/fuzz_*.c)
UNIT_TESTS   := $(wildcard tests/unit/test_*.c)
FUZZ_TARGETS := $(wildcard tests/fuzz/fuzz_*.c)
BENCHES      := $(wildcard tests/bench/bench_*.c)
TEST_COMMON  := $(filter-out $(UNIT_TESTS) tests/unit/feeds_rig.c tests/unit/audit_rig.c tests/unit/flow_rig.c tests/unit/reaper_rig.c tests/unit/server_audit_rig.c tests/unit/server_fixture.c, \
                  $(call sources,tests/unit tests/fakes))
BENCH_COMMON := $(filter-out $(BENCHES),$(call sources,tests/bench))

ALL_SRC := $(LIB_SRC) $(CLIENT_SRC) $(AGENT_SRC) agent/main.c agent/helper/main.c agent/ssh_keys/main.c $(CTL_SRC) \
           $(CONTROL_SRC) control_plane/main.c $(call sources,nss_module pam_module)
