# Every target sets up .venv by itself. PYTHON chooses the interpreter, ARGS is handed on:
#   make demo ARGS='--scale 0.1'    make test ARGS='tests/unit -k names'    make bench ARGS='--quick small-null'
PYTHON ?= python3
ARGS ?=

# Each command starts processes of its own, which must not compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test check bench clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):[^#]*## (.*)/make \1\t\2/' | expand -t 14

demo: $(READY) ## the app, leading through a migration of made-up data; ARGS=--headless: all by itself
	$(BIN)/xsync demo $(ARGS)

test: $(READY) ## run the tests
	$(BIN)/pytest --numprocesses 4 --dist worksteal $(ARGS)

check: $(READY) ## lint, formatting, types, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY) ## measure beside rclone and s5cmd; ARGS=--write renews docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks $(ARGS)

clean: ## remove .venv, caches and builds
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist build
	find xsync_tui engine profiles tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'xsync needs Python 3.11 or later. Name one: make PYTHON=python3.12 ...' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo 'This Python cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,dev]'
	@touch $@
