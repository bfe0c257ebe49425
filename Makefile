# make setup | make run [DATA=path] | make test | make lint | make audit
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.requirements-installed
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help setup run test lint audit

help:
	@echo "make setup            a virtual environment in .venv with everything needed"
	@echo "make run              train on crystals that are drawn, with the labels of a model (3 to 5 minutes)"
	@echo "make run DATA=path    train the quick recipe on labelled crystals: a parquet table (material_id, lattice,"
	@echo "                      atomic_numbers, frac_coords, topology), or a folder of CIF files with an"
	@echo "                      id_prop.csv (lines 'id,label', no header; files <id>.cif)"
	@echo "make test             the tests"
	@echo "make lint             ruff and mypy"
	@echo "make audit            known vulnerabilities of the packages needed (pip-audit; it asks the network)"

setup: $(STAMP)

# The stamp is written last: an installation that was cut short is done again.
$(STAMP): requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"Python 3.11 or later is needed, $(PYTHON) is {v[0]}.{v[1]}: make setup PYTHON=python3.11")'
	@echo "Setting up .venv (once, a few minutes) ..."
	@$(PYTHON) -m venv .venv
	@$(PIP) -r requirements-dev.txt
	@touch $@
	@echo "Ready: $$($(BIN)/python --version) in .venv"

run: setup
ifeq ($(strip $(DATA)),)
	@$(BIN)/python main.py --config=configs/embedded.py
else
	@$(BIN)/python main.py --config=configs/quick.py --config.data.path="$(DATA)"
endif

test: setup
	@$(BIN)/python -m pytest -q

lint: setup
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary

audit: setup
	@$(BIN)/python -m tests.audit
