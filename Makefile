SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo stop test lint lock lock-check sbom audit clean

# a night is many processes: each would compile what it imports anew, which takes longer than most of its work
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
SHOP ?= complete_journey
CUSTOMERS ?= 5000
BIN := .venv/bin

help: ## show this text
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 is needed, and '$(PYTHON)' is not it. Install it, or name it: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "Building the environment in .venv (about a minute, once) ..."
	@$(PYTHON) -m venv .venv
	@# uv installs the lock in seconds; pip fetches it by its pinned hash, and does the whole job where uv cannot
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > .venv/uv.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r .venv/uv.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.txt || \
	  $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: .venv/installed ## the whole product on an embedded Postgres: make demo [SHOP=complete_journey|cdnow|simulated] [CUSTOMERS=5000]
	@$(BIN)/segmentation demo --shop $(SHOP) --customers $(CUSTOMERS)

stop: ## end what make demo started
	@if [ -x $(BIN)/segmentation ]; then $(BIN)/segmentation stop; else echo "Nothing was started here."; fi

test: .venv/installed lint lock-check ## everything: lint, types, lock file, unit, integration and end-to-end tests
	@$(BIN)/python -m pytest -n 2 --dist loadscope --no-loadscope-reorder

lint: .venv/installed ## ruff (incl. its Airflow and docstring rules) and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

lock: .venv/installed ## compile requirements.in to requirements.txt, pinned by hash
	@$(BIN)/uv pip compile requirements.in -o requirements.txt --quiet --generate-hashes --universal \
	  --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock"

lock-check: .venv/installed ## fail if requirements.txt is not what requirements.in compiles to
	@cp requirements.txt .venv/lock.txt
	@$(BIN)/uv pip compile requirements.in -o .venv/lock.txt --quiet --generate-hashes --universal \
	  --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock"
	@diff -q requirements.txt .venv/lock.txt >/dev/null || \
	  { echo "requirements.txt does not match requirements.in: run 'make lock' and commit the result." >&2; exit 1; }

sbom: .venv/installed ## write sbom.json: every package of the lock with version and hashes (CycloneDX)
	@$(BIN)/uv tool run --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements.txt --output-reproducible -o sbom.json
	@echo "Wrote sbom.json."

audit: .venv/installed ## look the lock's packages up in the database of known vulnerabilities (needs the internet)
	@$(BIN)/uv tool run pip-audit==2.10.1 --requirement requirements.txt --require-hashes --disable-pip --strict

clean: stop ## remove the environment and every demo
	@rm -rf .venv .demo
