# How things are built. `make V=1` prints whole command lines.

say = $(if $(V),,@printf '  %-4s %s\n' $(1) $(2);)

LIB_A    := $(O)/lib.a
CLIENT_A := $(O)/client.a
AGENT_A  := $(O)/agent.a
PAM_A    := $(O)/pam.a
CONTROL_A := $(O)/control.a

DELIVERABLES := $(O)/libtenant.so.1 $(O)/pam_tenant.so $(O)/libnss_tenant.so.2 $(O)/libsubid_tenant.so \
                $(O)/tenantd $(O)/tenantd-helper $(O)/tenantd-ssh-keys $(O)/tenantctl $(O)/tenant-control

all: $(DELIVERABLES) ## build everything (default)
.PHONY: all

$(O)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(CPPFLAGS) $(BASE_CFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# The interface text is compiled in, so introspection serves exactly what the documentation says.
$(O)/generated/agent_interface.h: docs/io.tenantd.Agent.varlink
	@mkdir -p $(@D)
	@{ echo 'static const char agent_interface_text[] ='; sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $<; echo ';'; } > $@
$(call objects,$(wildcard agent/server/*.c)): CPPFLAGS += -I$(O)/generated
$(call objects,$(wildcard agent/server/*.c)): | $(O)/generated/agent_interface.h
$(O)/agent/server/interface.o: $(O)/generated/agent_interface.h

$(LIB_A): $(call objects,$(LIB_SRC))
$(CLIENT_A): $(call objects,$(CLIENT_SRC))
$(AGENT_A): $(call objects,$(AGENT_SRC))
$(PAM_A): $(call objects,$(PAM_SRC))
$(CONTROL_A): $(call objects,$(CONTROL_SRC))
$(LIB_A) $(CLIENT_A) $(AGENT_A) $(PAM_A) $(CONTROL_A):
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

$(O)/libtenant.so.1: $(call objects,$(LIBTENANT_SRC)) lib/client/libtenant.sym
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -shared -Wl,-soname,libtenant.so.1 -Wl,--version-script,lib/client/libtenant.sym \
	  -o $@ $(filter %.o,$^) $(JSON_LIBS)
	@ln -sf libtenant.so.1 $(O)/libtenant.so

$(O)/pam_tenant.so: $(call objects,$(PAM_SRC)) pam_module/pam_tenant.sym $(O)/libtenant.so.1
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -shared -Wl,--version-script,pam_module/pam_tenant.sym \
	  -o $@ $(filter %.o,$^) -L$(O) -ltenant -lpam

$(O)/libnss_tenant.so.2: $(call objects,$(NSS_SRC)) nss_module/libnss_tenant.sym
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -shared -Wl,-soname,libnss_tenant.so.2 -Wl,-z,nodelete \
	  -Wl,--version-script,nss_module/libnss_tenant.sym -o $@ $(filter %.o,$^)

$(O)/libsubid_tenant.so: $(call objects,$(SUBID_SRC)) nss_module/libsubid_tenant.sym
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -shared -Wl,-z,nodelete -Wl,-soname,libsubid_tenant.so \
	  -Wl,--version-script,nss_module/libsubid_tenant.sym \
	  -o $@ $(filter %.o,$^)

$(O)/tenantd: $(O)/agent/main.o $(AGENT_A) $(LIB_A)
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -pie -o $@ $^ $(AGENT_LIBS)

# Root's program has its own files and the C library, nothing else.
$(O)/tenantd-helper: $(call objects,$(call sources,agent/helper) agent/accounts.c agent/session/process.c) $(LIB_A)
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -pie -o $@ $^

# It starts twice for each sign-in by SSH key: no library that it does not need.
$(O)/tenantd-ssh-keys: $(O)/agent/ssh_keys/main.o $(O)/agent/ctl/local_account.o $(LIB_A)
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -pie -o $@ $^ $(JSON_LIBS)

$(O)/tenantctl: $(call objects,$(CTL_SRC)) $(AGENT_A) $(CLIENT_A) $(LIB_A)
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -pie -o $@ $^ $(AGENT_LIBS)

# The migrations and the API's description are compiled in: the program brings the database it was written for.
$(O)/generated/%_text.h:
	@mkdir -p $(@D)
	@{ echo 'static const char $*_text[] ='; sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $<; echo ';'; } > $@
$(O)/generated/openapi_text.h: docs/openapi.yaml
$(O)/generated/migrations.h: $(CONTROL_SQL)
	@mkdir -p $(@D)
	@{ for file in $(CONTROL_SQL); do echo "{\"$$(basename $$file .sql)\","; \
	  sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/"/' -e 's/$$/\\n"/' $$file; echo '},'; done; } > $@
$(O)/control_plane/%.o: CPPFLAGS += -I$(O)/generated
$(O)/control_plane/db/migrate.o: $(O)/generated/migrations.h
$(O)/control_plane/api/description.o: $(O)/generated/openapi_text.h

$(O)/tenant-control: $(O)/control_plane/main.o $(CONTROL_A) $(LIB_A)
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -pie -o $@ $^ $(CONTROL_LIBS)

# Unit tests, fuzz targets (with a main that replays files) and benches: one program a file.
UNIT_BIN := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(UNIT_TESTS))
$(UNIT_BIN): $(O)/tests/unit/%: $(O)/tests/unit/%.o $(call objects,$(TEST_COMMON)) $(PAM_A) $(AGENT_A) $(CLIENT_A) $(LIB_A)
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) $(UNIT_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka $(AGENT_LIBS) -lmicrohttpd $(UNIT_LIBS) -ldl
# It brings the feeds' thread and HTTP, of which test_follow*.c have their own.
$(filter $(O)/tests/unit/test_feeds%,$(UNIT_BIN)): $(O)/tests/unit/feeds_rig.o
$(filter $(O)/tests/unit/test_feeds_audit $(O)/tests/unit/test_feeds_audit_damage $(O)/tests/unit/test_feeds_witness,$(UNIT_BIN)): $(O)/tests/unit/audit_rig.o
# It brings the server, and with that single sign-on's thread and HTTP.
$(filter $(O)/tests/unit/test_server% $(O)/tests/unit/test_userdb,$(UNIT_BIN)): $(O)/tests/unit/server_fixture.o
# These move the clock on, and have requests time out sooner.
FLOW_TESTS := $(filter $(O)/tests/unit/test_oidc_flow%,$(UNIT_BIN))
$(FLOW_TESTS): $(O)/tests/unit/flow_rig.o
$(FLOW_TESTS): UNIT_LDFLAGS += -Wl,--wrap=clock_boottime_usec,--wrap=http_start
# What the reaper asks of the helper is written down, and its clock stands until it is moved.
REAPER_TESTS := $(filter $(O)/tests/unit/test_reaper%,$(UNIT_BIN))
$(REAPER_TESTS): $(O)/tests/unit/reaper_rig.o
$(REAPER_TESTS): UNIT_LDFLAGS += -Wl,--wrap=helper_client_call,--wrap=idle_ask,--wrap=session_main_terminal,--wrap=clock_boottime_usec,--wrap=clock_realtime_sec
$(O)/tests/unit/test_feeds_memory: UNIT_LDFLAGS += -Wl,--wrap=calloc
$(O)/tests/unit/test_session_scope: UNIT_LDFLAGS += -Wl,--wrap=sd_event_add_inotify,--wrap=sd_event_source_set_time_relative
$(O)/tests/unit/test_sources: UNIT_LDFLAGS += -Wl,--wrap=audit_write,--wrap=login_book_set_freshness
# Its spool is the test's, and the clock is put forward.
AUDIT_HOLD_TESTS := $(filter $(O)/tests/unit/test_server_audit $(O)/tests/unit/test_server_stuck,$(UNIT_BIN))
$(AUDIT_HOLD_TESTS): $(O)/tests/unit/server_audit_rig.o
$(AUDIT_HOLD_TESTS): UNIT_LDFLAGS += -Wl,--wrap=spool_last,--wrap=spool_durable,--wrap=spool_state,--wrap=clock_boottime_usec
# It has a resolver of its own that takes its time.
$(O)/tests/unit/test_http_names: UNIT_LDFLAGS += -Wl,--export-dynamic-symbol=getaddrinfo
# These load the built module into the real libpam, with a getpwnam_r and getuid of their own.
PAM_TESTS := $(filter $(O)/tests/unit/test_pam_%,$(UNIT_BIN))
$(PAM_TESTS): UNIT_LDFLAGS += -Wl,--export-dynamic-symbol=getpwnam_r,--export-dynamic-symbol=getuid
$(PAM_TESTS): UNIT_LIBS += -lpam
$(PAM_TESTS): $(call objects,$(call sources,tests/fakes/pam)) | $(O)/pam_tenant.so

CONTROL_UNIT_BIN := $(patsubst %.c,$(O)/%,$(CONTROL_UNIT_TESTS))
$(CONTROL_UNIT_BIN): $(O)/%: $(O)/%.o $(call objects,$(CONTROL_TEST_COMMON)) $(CONTROL_A) $(LIB_A)
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) -lcmocka $(CONTROL_LIBS)
$(O)/tests/unit/control/%.o: CPPFLAGS += -I$(O)/generated
# What would go into the database is looked at.
$(O)/tests/unit/control/test_audit_event: $(O)/tests/unit/ocsf_check.o
$(O)/tests/unit/control/test_audit_event: LDFLAGS += -Wl,--wrap=inbox_put

# These have the NSS module inside, with a place of the map of their own.
NSS_A := $(O)/nss.a
$(NSS_A): $(call objects,$(filter-out nss_module/map_place.c,$(sort $(NSS_SRC) $(SUBID_SRC))))
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^
NSS_TESTS := $(filter $(O)/tests/unit/test_nss_% $(O)/tests/unit/test_map_%,$(UNIT_BIN))
$(NSS_TESTS) $(O)/tests/fuzz/fuzz_nss_map $(O)/fuzzers/fuzz_nss_map: $(call objects,$(call sources,tests/fakes/nss)) $(NSS_A)
$(NSS_TESTS): | $(O)/libnss_tenant.so.2 $(O)/libsubid_tenant.so

$(filter $(O)/tests/unit/test_feeds%,$(UNIT_BIN)): $(call objects,$(FEEDS_RIG))

# What tenantctl's doctor judges by itself.
DOCTOR := $(call objects,$(addprefix agent/ctl/,doctor_sshd.c doctor_pam.c doctor_nsswitch.c findings.c run_program.c))
$(O)/tests/unit/test_doctor: $(DOCTOR)

# These run the built tenantctl.
$(filter $(O)/tests/unit/test_ctl_%,$(UNIT_BIN)): | $(O)/tenantctl
# This one runs the built root helper.
$(O)/tests/unit/test_helper_program: | $(O)/tenantd-helper
# This one runs the built agent.
$(filter $(O)/tests/unit/test_agent_%,$(UNIT_BIN)): | $(O)/tenantd

REPLAY_BIN := $(patsubst tests/fuzz/%.c,$(O)/tests/fuzz/%,$(FUZZ_TARGETS))
$(REPLAY_BIN): $(O)/tests/fuzz/%: $(O)/tests/fuzz/%.o $(O)/tests/fuzz/replay.o $(PAM_A) $(AGENT_A) $(CLIENT_A) $(LIB_A)
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(AGENT_LIBS) -lpam -ldl

CONTROL_REPLAY_BIN := $(patsubst %.c,$(O)/%,$(CONTROL_FUZZ_TARGETS))
$(CONTROL_REPLAY_BIN): $(O)/%: $(O)/%.o $(O)/tests/fuzz/replay.o $(CONTROL_A) $(LIB_A)
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(CONTROL_LIBS)

# The same targets with libFuzzer's own main, for tests/fuzz/run.sh, which also sets the flags this needs:
# CC=clang SANITIZE=address,undefined,fuzzer-no-link.
FUZZER_BIN := $(patsubst tests/fuzz/%.c,$(O)/fuzzers/%,$(FUZZ_TARGETS))
$(FUZZER_BIN): $(O)/fuzzers/%: $(O)/tests/fuzz/%.o $(PAM_A) $(AGENT_A) $(CLIENT_A) $(LIB_A)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) -fsanitize=fuzzer $(BASE_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(AGENT_LIBS) -lpam -ldl
CONTROL_FUZZER_BIN := $(patsubst tests/fuzz/control/%.c,$(O)/fuzzers/%,$(CONTROL_FUZZ_TARGETS))
$(CONTROL_FUZZER_BIN): $(O)/fuzzers/%: $(O)/tests/fuzz/control/%.o $(CONTROL_A) $(LIB_A)
	@mkdir -p $(@D)
	$(call say,LINK,$@)$(CC) -fsanitize=fuzzer $(BASE_LDFLAGS) $(LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(CONTROL_LIBS)
fuzzers: $(FUZZER_BIN) $(CONTROL_FUZZER_BIN)
.PHONY: fuzzers

BENCH_BIN := $(patsubst tests/bench/%.c,$(O)/tests/bench/%,$(BENCHES))
$(BENCH_BIN): $(O)/tests/bench/%: $(O)/tests/bench/%.o $(call objects,$(BENCH_COMMON)) $(AGENT_A) $(CLIENT_A) $(LIB_A)
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) $(BENCH_LDFLAGS) -o $@ $^ $(AGENT_LIBS) -lpam -lpam_misc -ldl
# Gives the modules that it loads a getpwnam_r of its own.
$(O)/tests/bench/bench_pam: BENCH_LDFLAGS := -Wl,--export-dynamic-symbol=getpwnam_r
$(O)/tests/bench/bench_pam: | $(O)/pam_tenant.so $(O)/tenantd

# Many hosts in one process, for bench_fleet.sh. The only program of ours that does TLS by itself.
FEED_SWARM := $(O)/tests/bench/swarm/feed_swarm
$(FEED_SWARM): $(FEED_SWARM).o $(LIB_A)
	$(call say,LINK,$@)$(CC) $(BASE_LDFLAGS) $(LDFLAGS) -o $@ $^ -lssl $(AGENT_LIBS)

clean: ## remove what was built
	rm -rf $(BUILD)
.PHONY: clean

-include $(shell find $(O) -name '*.d' 2>/dev/null)
