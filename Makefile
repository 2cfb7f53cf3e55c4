# Needs Python 3.11 or later and make; everything else goes into .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	if command -v $$python >/dev/null && $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then command -v $$python; break; fi; done)
UV_VERSION := 0.13.9
BIN := .venv/bin
LAYERS := build/layers
STAGE ?= dev
RULES ?= migrations/edge-cv-portal.yaml
PARAMS ?=
PORTAL ?=
# What pyarrow needs to read files; its servers, tests and headers would take the layers over Lambda's 250 MB.
ARROW_LEFT_OUT := tests include src libarrow_flight* _flight* libarrow_substrait* _substrait*
# Three processes on two cores, because many tests wait for servers and workers; the longest files are not kept for the end.
TESTS := $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder --ignore=tests/deployment
FUZZ_SECONDS ?= 60
SEEDS ?= 2000
MUTANTS ?= 200
SCENARIOS ?= S03 S04 S07 S11 S18 S23 S24 S25 S27 S28 S29 S30 S31 S32 S38 S39 S43 S44 S45 S46 S47 S56 S57 S58 S60 S61 S62 S64 W22

.PHONY: help demo test test-slow test-all check bench performance simulate mutate fmt clean layers package iam conformance modules check-rules deploy-test deploy deploy-portal fuzz chaos audit

help: ## Show what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.ready: pyproject.toml uv.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed, none was found"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv sync --quiet --frozen --all-extras --inexact
	@touch $@

demo: .venv/.ready ## Move a live bucket on an embedded stand-in, prove that nothing is lost (PORTAL=1: use the portal too)
	@$(BIN)/keyshift demo $(if $(PORTAL),--portal)

test: .venv/.ready ## The tests of some minutes: all but the slow ones and deploy-test
	$(TESTS) -m "not slow"

test-slow: .venv/.ready ## The slow ones: simulations, chaos, whole commands and tutorials, searches
	$(TESTS) -m slow

test-all: test test-slow ## Every test but deploy-test

check: .venv/.ready ## Format, lint, types, import contracts, links and citations, known vulnerabilities
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/docs/test_citations.py
	$(BIN)/python -m tests.security.audit_dependencies

audit: .venv/.ready ## Known vulnerabilities of the locked dependencies
	$(BIN)/python -m tests.security.audit_dependencies

simulate: .venv/.ready ## Whole migrations by seed (SEEDS=2000), every fault at every call, large scenarios explored completely
	$(BIN)/python -m tests.simulation.whole --seeds $(SEEDS)
	$(BIN)/python -m tests.simulation.whole --sweep 4
	$(BIN)/python -m tests.simulation $(SCENARIOS)

mutate: .venv/.ready ## Change the domain in one place at a time (MUTANTS=200, 0: everywhere), and see whether a test notices
	$(BIN)/python -m tests.mutation --sample $(MUTANTS) --deep

node_modules/.ready: package.json package-lock.json
	@command -v npm >/dev/null || { echo "npm is needed to deploy (Node.js 20.19 or later): https://nodejs.org"; exit 1; }
	npm ci --ignore-scripts --no-fund --no-audit --loglevel=error
	@touch $@

# $(call layer,folder,python version,platform): both layers of one platform, from uv.lock
define layer
	@rm -rf $(1) && mkdir -p $(1)/runtime $(1)/arrow
	@$(BIN)/uv export --quiet --frozen --no-dev --no-emit-project --format requirements-txt -o $(1)/runtime.txt
	@$(BIN)/uv export --quiet --frozen --no-dev --no-emit-project --extra cli --format requirements-txt -o $(1)/cli.txt
	@awk '/^pyarrow==/ {on=1} on {print} on && !/\\$$/ {exit}' $(1)/cli.txt > $(1)/arrow.txt
	@for name in runtime arrow; do $(BIN)/uv pip install --quiet --no-deps --require-hashes --only-binary :all: \
		--python-version $(2) --python-platform $(3) --target $(1)/$$name/python -r $(1)/$$name.txt || exit 1; done
	@cd $(1)/arrow/python/pyarrow && rm -rf $(ARROW_LEFT_OUT)
	@rm -rf $(1)/*/python/bin
	@for compiler in python$(2) "$$($(BIN)/uv python find --no-python-downloads $(2) 2>/dev/null)" none; do \
		if [ "$$compiler" = none ]; then echo "no python$(2) is here to compile $(1): it works, but starts slower"; break; fi; \
		if [ -n "$$compiler" ] && "$$compiler" -c '' 2>/dev/null; then \
			"$$compiler" -m compileall -q --invalidation-mode unchecked-hash $(1)/*/python; break; fi; done
	@touch $@
endef

build/layers/lambda/.ready: .venv/.ready
	$(call layer,build/layers/lambda,3.13,aarch64-manylinux_2_28)

# The same for this machine, so that the stand-in can run what was built.
build/layers/here/.ready: .venv/.ready
	$(call layer,build/layers/here,$$($(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])'),$$(uname -m)-manylinux_2_28)

layers: build/layers/lambda/.ready ## Install the functions' dependencies for Lambda, from uv.lock

package: layers node_modules/.ready ## Build what is deployed, without an account: build/release/ (PARAMS=…)
	$(BIN)/python -m tests.deployment package $(PARAMS)

iam: layers build/layers/here/.ready node_modules/.ready ## Write docs/iam.md anew, after a change of a role or of a call
	@$(BIN)/python -m tests.deployment iam > build/iam.md && mv build/iam.md docs/iam.md

conformance: .venv/.ready ## Write the table of docs/conformance.md anew: what the servers here answer
	@$(BIN)/python -m tests.docs.conformance_page

modules: .venv/.ready ## Write serverless-modules.yml anew: what the functions can import, and so what is deployed
	@$(BIN)/python -m tests.deployment modules

deploy-test: layers build/layers/here/.ready node_modules/.ready ## Build it, check it, deploy it to the stand-in and use it there
	$(BIN)/pytest -q tests/deployment

check-rules: .venv/.ready ## Prove the rules file that is deployed (RULES=…)
	$(BIN)/keyshift rules check $(RULES)

deploy: check-rules layers node_modules/.ready ## Put it into the AWS account of your credentials (STAGE=… RULES=… PARAMS=…)
	npx osls deploy --stage $(STAGE) --param rulesFile=$(RULES) $(PARAMS)

fuzz: .venv/.ready ## New examples for every property, then every decoder of outside input, FUZZ_SECONDS=60 each
	$(BIN)/pytest -q -n 2 --dist loadfile --hypothesis-profile=search -m hypothesis --ignore=tests/deployment
	@$(BIN)/uv sync --quiet --frozen --all-extras --inexact --group fuzz
	$(BIN)/python -m tests.fuzz $(FUZZ_SECONDS)

chaos: .venv/.ready ## Kill, stop, cut off and delay real workers on real servers, then compare every byte
	$(BIN)/python -m tests.chaos

deploy-portal: layers node_modules/.ready ## Put the portal's functions beside it (STAGE=… PARAMS=…)
	npx osls deploy --config serverless-portal.yml --stage $(STAGE) $(PARAMS)

# A peer that cannot be installed is named in the result and left out.
build/peers/.ready: .venv/.ready bench/peers.txt
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python build/peers
	@$(BIN)/uv pip install --quiet --python build/peers/bin/python --require-hashes -r bench/peers.txt \
		|| echo "the peers of bench/peers.txt cannot be installed; those on the path are measured"
	@touch $@

bench: .venv/.ready build/peers/.ready ## Measure, beside the peers (QUICK=1: the comparison with few objects, and requests)
	$(BIN)/python -m bench compare $(if $(QUICK),--objects 500 --repetitions 2)
	$(BIN)/python -m bench requests
	@$(if $(QUICK),,for name in chains imports profile latency commands growth; do $(BIN)/python -m bench $$name || exit 1; done)

performance: .venv/.ready ## Keep what make bench measured, and write docs/performance.md anew
	@$(BIN)/python -m bench page --keep

fmt: .venv/.ready ## Format and mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove what was built
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist build node_modules .serverless
