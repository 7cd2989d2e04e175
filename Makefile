# One command per need; each makes the environment in .venv first (Python 3.11 or later, with venv, is all it takes).
#
#   make start    the whole system on this machine, with a sample order; Ctrl-C stops it
#   make demo     the same once, then exit (non-zero if any step went wrong)
#   make stop     stop a stack that runs in the background
#   make test     the whole gate: lint, types, unit, properties, machines, end to end
#   make fast     the part of the gate that answers within a minute
#   make bench    measure; QUICK=1 for the short form
#   make clean    remove the environment and all local data

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help start demo stop test fast lint types bench clean

BIN := .venv/bin
export PYTHONPATH :=
export PATH := $(CURDIR)/$(BIN):$(PATH)

# Each stamp is named after what it was made from, so that touching a file without changing it remakes nothing.
REQUIRED := $(shell { cat requirements.txt; pwd; } | cksum | cut -d' ' -f1)
PROJECT := $(shell { cat requirements.txt pyproject.toml; pwd; } | cksum | cut -d' ' -f1)
READY := .venv/.requirements-$(REQUIRED)
INSTALLED := .venv/.project-$(PROJECT)

help:
	@sed -n 's/^#   \(make .*\)/  \1/p' Makefile

start: $(INSTALLED)
	@exec $(BIN)/oms start

demo: $(INSTALLED)
	@exec $(BIN)/oms demo

stop: $(INSTALLED)
	@exec $(BIN)/oms stop

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

fast: lint types
	$(BIN)/pytest -q -n 2 --dist worksteal -m "not e2e and not slow"

# Two at a time; then, alone, what needs the engine.
test: lint types
	$(BIN)/pytest -q -n 2 --dist worksteal -m "not e2e"
	$(BIN)/pytest -q -m e2e

bench: $(INSTALLED)
	@QUICK=$(QUICK) $(BIN)/python -m tests.benchmarks

# A running stack is stopped first: its data is about to go.
clean:
	@if [ -x $(BIN)/oms ]; then $(BIN)/oms stop --quiet; fi
	rm -rf .venv .oms .hypothesis .ruff_cache build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.txt
	@infra/local/venv.sh "$(PYTHON)"
	@touch $@

$(INSTALLED): $(READY) pyproject.toml
	@$(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@rm -f .venv/.project-* && touch $@
