# Every target sets itself up: a virtual environment in .venv, then what the target needs.
# All it takes is Python 3.11 or newer and make; `make PYTHON=python3.12 ...` picks another Python.

PYTHON ?= python3
VENV ?= .venv

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --no-input
BASE := $(VENV)/.made
ALL := $(VENV)/.installed-all
DEV := $(VENV)/.installed-dev
PEERS := $(VENV)/.installed-peers
DOCS := $(VENV)/.installed-docs

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test smoke test-all lint types bench docs access clean

help:
	@echo "make demo      analyse Eight Schools and draw its pictures under runs/"
	@echo "make test      run the tests, the floors of the house among them"
	@echo "make smoke     run a few tests of every room, for the commit in hand"
	@echo "make test-all  run the long ones as well"
	@echo "make lint      check style and format"
	@echo "make types     check types"
	@echo "make bench     time finetti beside its peers"
	@echo "make docs      build the site into site/, without a warning"
	@echo "make access    open the site and a report in Chromium, and hold them to WCAG by axe"
	@echo "make clean     remove what make made; runs/ stays"

demo: $(ALL)
	@$(BIN)/finetti demo

test: $(DEV)
	@$(BIN)/python -m pytest

# A few tests of every room, for the commit in hand.
SMOKE := tests/test_architecture.py tests/test_import.py tests/language/test_statements.py \
  tests/language/test_refusals.py tests/structure/test_plan.py tests/structure/test_added_rewrite.py \
  tests/structure/test_moves.py tests/factors/test_kinds.py \
  tests/inference/test_recorded.py tests/inference/test_states.py \
  tests/criticism/test_uniform.py tests/criticism/test_predict.py tests/posterior/test_tree.py \
  tests/reporting/test_tables.py tests/dialects/test_edward2.py tests/test_cli.py

smoke: $(DEV)
	@$(BIN)/python -m pytest $(SMOKE)

test-all: $(DEV)
	@$(BIN)/python -m pytest -m "slow or not slow"

lint: $(DEV)
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(DEV)
	@$(BIN)/pyright

bench: $(PEERS)
	@$(BIN)/python -m benchmarks

docs: $(DOCS)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "Open site/index.html."

# Needs Debian's chromium and chromium-driver besides.
access: $(DEV) $(DOCS)
	@$(PIP) install --editable '.[browser]'
	@$(BIN)/python -m pytest -m "slow or not slow" -n 0 tests/docs/test_site.py tests/reporting/test_page.py

clean:
	rm -rf $(VENV) build dist site .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(BASE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo \
	  "finetti needs Python 3.11 or newer; name one: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@touch $@

# An editable install follows the sources by itself; only new dependencies ask for another.
$(ALL): $(BASE) pyproject.toml
	@echo "Installing finetti and its extras into $(VENV); the first time takes a few minutes."
	@$(PIP) install --editable '.[all]'
	@touch $@

$(DEV): $(BASE) pyproject.toml
	@echo "Installing finetti and its development tools into $(VENV)."
	@$(PIP) install --editable '.[all,dev]'
	@touch $(ALL) $@

$(PEERS): $(BASE) pyproject.toml
	@echo "Installing finetti and the peers it is timed against into $(VENV)."
	@$(PIP) install --editable '.[all,peers]'
	@touch $(ALL) $@

$(DOCS): $(BASE) pyproject.toml
	@echo "Installing finetti and what builds its site into $(VENV)."
	@$(PIP) install --editable '.[cli,docs]'
	@touch $@
