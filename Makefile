# Needs Python 3.11 or later and make; everything else goes into .venv.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	if command -v $$python >/dev/null && $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then command -v $$python; break; fi; done)
UV_VERSION := 0.13.9
BIN := .venv/bin
SCENARIOS ?= S03 S04 S07 S11 S23 S24 S25 S27 S28 S29 S30 S38 S39 S43 S44 S47

.PHONY: help demo test check bench simulate fmt clean

help: ## Show what there is
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/.ready: pyproject.toml uv.lock
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed, none was found"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(BIN)/uv sync --quiet --frozen --all-extras --inexact
	@touch $@

demo: .venv/.ready ## Move a live bucket on an embedded stand-in, and prove that nothing is lost
	@$(BIN)/keyshift demo

test: .venv/.ready ## Every test
	$(BIN)/pytest -n 2 --dist loadfile

check: .venv/.ready ## Format, lint, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

simulate: .venv/.ready ## Explore the large scenarios completely (SCENARIOS="S24 S25" for some)
	$(BIN)/python -m tests.simulation $(SCENARIOS)

bench: .venv/.ready ## Measure, beside the peers
	$(BIN)/python -m bench

fmt: .venv/.ready ## Format and mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove what was built
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
