# Nautilus. `make serve` sets everything up and runs the platform; `make test` sets everything up and tests it.
# Needs make and some Python 3.12 or newer; no root; no network beyond the package index.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PYENV := $(HOME)/.pyenv/versions
CANDIDATES := python3.14 python3.13 python3.12 python3 python $(foreach v,3.14 3.13 3.12,$(wildcard $(PYENV)/$(v)*/bin/python3))
PYTHON ?= $(firstword $(foreach p,$(CANDIDATES),$(shell $(p) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && echo $(p))))
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python
ARGS ?=

.PHONY: help serve test lint types layers unit soak bench docs clean setup
help:
	@echo "make serve | test | lint | bench | soak | docs | clean"

setup: $(VENV)/.run
serve: $(VENV)/.run
	@$(BIN)/nautilus serve $(ARGS)

test: lint types layers unit

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

layers: $(VENV)/.dev
	$(BIN)/lint-imports

unit: $(VENV)/.dev
	$(BIN)/pytest -m "not soak" $(ARGS)

soak: $(VENV)/.dev
	$(BIN)/pytest -m soak --timeout 3600 $(ARGS)

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks $(ARGS)

docs: $(VENV)/.run
	$(BIN)/nautilus config show > config/default.toml
	$(BIN)/python -m docs

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find nautilus tests benchmarks docs examples -name __pycache__ -type d -prune -exec rm -rf {} +

# A virtual environment with uv in it; then three layers of packages, each made again when pyproject.toml changes.
$(VENV)/.venv:
	@test -n "$(PYTHON)" || { echo "Nautilus needs Python 3.12 or newer with venv (set PYTHON=...)"; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@

$(VENV)/.run: $(VENV)/.venv pyproject.toml
	@echo "Installing packages"
	@$(UV) --editable .
	@touch $@

# toraniko pins an older NumPy but runs on ours: it is installed without its pins, as an oracle only.
$(VENV)/.dev: $(VENV)/.run
	@echo "Installing test packages"
	@$(UV) --group test --group lint --group parity
	@$(UV) --no-deps toraniko==1.1.1
	@touch $@

$(VENV)/.bench: $(VENV)/.dev
	@echo "Installing the peers that benchmarks race"
	@$(UV) --prerelease=allow --group bench
	@touch $@
