# Everyday commands; `make help` lists them. CI runs `make test` and nothing else.

CARGO ?= cargo
KASPARRO := target/release/kasparro
# What runs the stack of docker-compose.yml.
COMPOSE ?= docker compose
# Points at which tests kill the program; no release has them.
FAULTS := kasparro/faults
# Each step of `make test` says how long it took.
timed = @begun=$$(date +%s); printf '== %s\n' '$(1)'; $(2); code=$$?; \
	printf '== %s: %s s\n' '$(1)' $$(( $$(date +%s) - begun )); exit $$code

.DEFAULT_GOAL := help
.PHONY: help run demo build test fmt fmt-check lint unit postgres deny evidence real-input torture drift-evidence identity-evidence tools \
	outside-tools fuzz-api slow-clients

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

unit: tools postgres outside-tools
	$(call timed,tests,$(CARGO) test --workspace --features $(FAULTS) --locked)

postgres: ## find the PostgreSQL server that tests start, or install it where apt-get may
	$(call timed,postgres,.ci/postgres)

outside-tools: ## install the tools of others that the API is held against, below target/tools
	$(call timed,tools of others,tools/install)

deny: ## licences, bans and sources of dependencies; advisories where their database is reachable
	$(call timed,dependencies,.ci/deny)

evidence: build postgres ## measure what the documents claim of the first load, into docs/evidence
	$(CARGO) run --release --locked --package kasparro --example evidence
	$(CARGO) run --release --locked --package kasparro --example evidence_postgres
	$(CARGO) run --release --locked --package kasparro --example evidence_politeness

real-input: build ## load the captured bodies that KASPARRO_REAL_DATA names, and account for every row, into docs/evidence
	@! grep -q CRASH_AT $(KASPARRO) || { echo 'the release can be killed by a test: build it without features' >&2; exit 1; }
	$(CARGO) run --release --locked --package kasparro --example real_input

fuzz-api: build postgres outside-tools ## every payload at every place, and 100,000 requests that schemathesis makes up, into docs/evidence
	KASPARRO_ALL_PAYLOADS=1 $(CARGO) test --release --locked --package kasparro-api -- --include-ignored --nocapture tests::payloads tests::bounded tests::key_time
	KASPARRO_ALL_PAYLOADS=1 $(CARGO) test --release --locked --package kasparro --test outside -- --nocapture payloads::i8
	$(CARGO) run --release --locked --package kasparro --example evidence_outside fuzz-api

slow-clients: build outside-tools ## thousands of slow and idle clients beside good ones, into docs/evidence
	@! ulimit -S -n 20000 2>/dev/null || exec $(CARGO) run --release --locked --package kasparro --example evidence_outside slow-clients; \
		echo 'so many connections need 20,000 open files: raise the limit (ulimit -Hn)' >&2; exit 1

.PHONY: up down restart logs logs-api logs-worker migrate verify shell smoke clean

up: ## start the stack (database, API, worker), make its passwords where there are none
	scripts/make-env.sh
	$(COMPOSE) up --detach --build --wait
	@echo "the API answers at http://$$($(COMPOSE) port api 8000); make smoke asks it a little of everything"

down: ## stop the stack, keep its data
	$(COMPOSE) down

restart: ## restart the API and the worker
	$(COMPOSE) restart api worker

logs: ## follow the logs of the stack
	$(COMPOSE) logs --follow --tail 200

logs-api: ## follow the logs of the API
	$(COMPOSE) logs --follow --tail 200 api

logs-worker: ## follow the logs of the worker
	$(COMPOSE) logs --follow --tail 200 worker

migrate: ## bring the stack's database to the newest schema
	$(COMPOSE) run --rm migrate

verify: ## check that everything in the stack's database holds together
	$(COMPOSE) exec -T worker kasparro verify

# The image of the program has no shell; what there is to look at is in the database.
shell: ## open psql on the stack's database
	$(COMPOSE) exec db psql --username=postgres --dbname=kasparro

smoke: ## ask the API at API_URL (http://127.0.0.1:8000) a little of everything, with API_KEY where there is one
	scripts/smoke.sh

clean: ## remove the stack and ALL ITS DATA (asks first; FORCE=1 does not)
	@[ "$(FORCE)" = 1 ] || { printf 'Remove the containers and all data of the stack? Type yes: '; \
		read -r answer; [ "$$answer" = yes ]; } || { echo 'nothing was removed' >&2; exit 1; }
	$(COMPOSE) --profile test down --volumes --remove-orphans

torture: postgres ## 200 kills, freezes and restarts of a fleet on PostgreSQL, into docs/evidence
	KASPARRO_FLEET_EVENTS=200 KASPARRO_FLEET_EVIDENCE=$(CURDIR)/docs/evidence/fleet.json \
		$(CARGO) test --package kasparro --features $(FAULTS) --locked --test fleet -- --nocapture

drift-evidence: tools ## mutated pages, thirty healthy days and the captures KASPARRO_REAL_DATA names, into docs/evidence
	KASPARRO_DRIFT_EVIDENCE=$(CURDIR)/docs/evidence \
		$(CARGO) test --package kasparro-engine --locked --test drift -- --nocapture

identity-evidence: tools ## score which listings are one asset, on made-up lists and the captures KASPARRO_REAL_DATA names, into docs/evidence
	$(CARGO) run --release --locked --package kasparro-identity --example identity_evidence

tools:
	@command -v $(CARGO) >/dev/null || { echo 'Rust is missing: install it from https://rustup.rs, then run make again' >&2; exit 1; }
	@command -v cc >/dev/null || { echo 'a C compiler is missing: on Debian, apt-get install build-essential' >&2; exit 1; }
