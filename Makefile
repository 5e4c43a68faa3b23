# Needs make and Python 3.11 or newer; everything else is installed into .venv, in the locked versions.

PYTHON  ?= python3
WORKERS ?= 2
BENCH   ?=
BIN     := .venv/bin
PIP     := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-full bench lint format lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: .venv/.runtime ## install what runs, and run the demo
	@$(BIN)/tactful demo

test: lint ## lint, types and tests
	@echo "== pytest"
	@$(BIN)/pytest --numprocesses $(WORKERS)

test-full: lint ## the same, with the long runs
	@echo "== pytest, with the long runs"
	@HYPOTHESIS_PROFILE=full $(BIN)/pytest --numprocesses $(WORKERS) -m "full or not full"

bench: .venv/.dev ## measure, all of it in about an hour; for a look: make bench BENCH=--quick
	@$(BIN)/python -m benchmarks $(BENCH)

lint: .venv/.dev ## ruff and mypy, changing nothing
	@echo "== ruff check"
	@$(BIN)/ruff check
	@echo "== ruff format --check"
	@$(BIN)/ruff format --check
	@echo "== mypy"
	@$(BIN)/mypy

format: .venv/.dev ## let ruff put the sources in order
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

# The development lock holds everything; the other two take their versions from it.
# What is locked already stays as it is, unless: make lock UPGRADE=--upgrade
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
          --no-header --no-emit-index-url --no-emit-find-links --no-annotate
UPGRADE ?=

lock: .venv/.made ## write the lock files anew
	@$(PIP) install "uv>=0.8"
	@$(COMPILE) pyproject.toml $(UPGRADE) --all-extras --group dev --output-file requirements-dev.lock
	@$(COMPILE) pyproject.toml $(UPGRADE) --all-extras --constraints requirements-dev.lock --output-file requirements.lock
	@$(COMPILE) $(UPGRADE) --group build --constraints requirements-dev.lock --output-file requirements-build.lock

clean: ## remove .venv and what the tools left behind
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
	@find engine elements flows tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- The environment, in three steps that each leave a stamp -----------------------------------

.venv/.made:
	@command -v $(PYTHON) >/dev/null || { echo "tactful needs Python 3.11 or newer, and there is no '$(PYTHON)'. Name one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "tactful needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12" >&2; exit 1; }
	@echo "== making .venv"
	@$(PYTHON) -m venv --clear .venv || { rm -rf .venv; \
	  echo "Could not make a virtual environment. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@touch $@

.venv/.runtime: .venv/.made requirements.lock requirements-build.lock pyproject.toml
	@echo "== installing what runs"
	@$(PIP) install --require-hashes -r requirements.lock -r requirements-build.lock || { \
	  echo "Could not install requirements.lock; the reason stands above." >&2; exit 1; }
	@$(PIP) install --no-deps --no-build-isolation --editable . || { \
	  echo "Could not install tactful itself; the reason stands above." >&2; exit 1; }
	@touch $@

.venv/.dev: .venv/.runtime requirements-dev.lock
	@echo "== installing what tests"
	@$(PIP) install --require-hashes -r requirements-dev.lock || { \
	  echo "Could not install requirements-dev.lock; the reason stands above." >&2; exit 1; }
	@touch $@
