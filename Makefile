# Everything runs in the project's own environment, which the first target to need it builds.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test check pin generate clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY) ## serve a sample thread on loopback and read it: no key, no account
	$(BIN)/python scripts/demo.py

test: $(READY) ## run all tests
	$(BIN)/python -m pytest

check: $(READY) ## format, lint, types, and whether the generated code is what the spec gives
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python scripts/generate.py --check

pin: $(READY) ## take a new upstream spec: make pin SPEC=FILE
	$(BIN)/python scripts/pin.py "$(SPEC)"

generate: $(READY) ## make generated/ from the pinned spec
	$(BIN)/python scripts/generate.py

clean: ## remove what the targets made
	rm -rf $(VENV) .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist
