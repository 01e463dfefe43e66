# Tests, lint, fuzzing, benches, packages, demo.

deps: ## install what building and testing need (Debian, as root)
	tests/install-deps.sh
.PHONY: deps

check: ## install what the tests need and run all of them (as root)
	tests/run-all.sh
.PHONY: check

programs: $(UNIT_BIN) $(CONTROL_UNIT_BIN) $(REPLAY_BIN) $(CONTROL_REPLAY_BIN) $(BENCH_BIN) ## build the tests, fuzz targets and benches without running them
.PHONY: programs

unit: $(UNIT_BIN) $(CONTROL_UNIT_BIN) ## run the unit tests of this build
	@tests/unit/run.sh $(UNIT_BIN) $(CONTROL_UNIT_BIN)
.PHONY: unit

replay: $(REPLAY_BIN) $(CONTROL_REPLAY_BIN) ## feed every corpus file to its fuzz target
	@for t in $(REPLAY_BIN) $(CONTROL_REPLAY_BIN); do $$t tests/fuzz/corpus/$$(basename $$t | sed s/^fuzz_//) || exit 1; done
.PHONY: replay

FUZZ_SECONDS ?= 60
fuzz: ## run every fuzz target with libFuzzer for FUZZ_SECONDS each
	tests/fuzz/run.sh $(FUZZ_SECONDS)
.PHONY: fuzz

bench: ## install what measuring needs, build, and measure against the budgets (as root)
	tests/install-deps.sh bench
	$(MAKE) all bench-programs deb
	tests/bench/run.sh $(O)
.PHONY: bench

bench-programs: $(BENCH_BIN) $(FEED_SWARM)
.PHONY: bench-programs

lint: all ## include directions, exports, NEEDED, clang-tidy, cppcheck, formatting, shell, python
	tests/lint/run.sh $(O)
.PHONY: lint

deb: ## build the Debian packages into build/deb
	packaging/build-deb.sh
.PHONY: deb

demo: ## a throwaway fleet: a control plane and two hosts, sign-ins by key and in a browser, a revocation (as root)
	tests/hosts/demo.sh fleet $(if $(KEEP),--keep)
.PHONY: demo

demo-host: ## one throwaway host with two tenants and no control plane (as root)
	tests/hosts/demo.sh host $(if $(KEEP),--keep)
.PHONY: demo-host
