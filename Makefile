# Everyday commands; `make help` lists them. CI runs `make test` and nothing else.

CARGO ?= cargo
KASPARRO := target/release/kasparro
# Points at which tests kill the program; no release has them.
FAULTS := kasparro/faults
# Each step of `make test` says how long it took.
timed = @begun=$$(date +%s); printf '== %s\n' '$(1)'; $(2); code=$$?; \
	printf '== %s: %s s\n' '$(1)' $$(( $$(date +%s) - begun )); exit $$code

.DEFAULT_GOAL := help
.PHONY: help run demo build test fmt fmt-check lint unit deny evidence real-input tools

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | awk -F '\t' '{printf "  make %-10s %s\n", $$1, $$2}'

run: build ## build and serve on http://127.0.0.1:8000, data under ./data
	exec $(KASPARRO) serve

demo: build ## build and serve offline on simulated upstreams, data under ./data/demo
	exec $(KASPARRO) demo

build: tools ## build the release binary
	$(CARGO) build --release --locked --package kasparro

test: fmt-check lint deny unit ## everything CI checks: format, lints, dependencies, tests

fmt: ## format every file
	$(CARGO) fmt --all

fmt-check:
	$(call timed,format,$(CARGO) fmt --all --check)

lint: tools ## clippy with warnings denied
	$(call timed,lints,$(CARGO) clippy --workspace --all-targets --features $(FAULTS) --locked -- -D warnings)

unit: tools
	$(call timed,tests,$(CARGO) test --workspace --features $(FAULTS) --locked)

deny: ## licences, bans and sources of dependencies; advisories where their database is reachable
	$(call timed,dependencies,.ci/deny)

evidence: build ## measure what the documents claim of the first load, into docs/evidence
	$(CARGO) run --release --locked --package kasparro --example evidence

real-input: build ## load the captured bodies that KASPARRO_REAL_DATA names, and account for every row, into docs/evidence
	@! grep -q CRASH_AT $(KASPARRO) || { echo 'the release can be killed by a test: build it without features' >&2; exit 1; }
	$(CARGO) run --release --locked --package kasparro --example real_input

tools:
	@command -v $(CARGO) >/dev/null || { echo 'Rust is missing: install it from https://rustup.rs, then run make again' >&2; exit 1; }
	@command -v cc >/dev/null || { echo 'a C compiler is missing: on Debian, apt-get install build-essential' >&2; exit 1; }
