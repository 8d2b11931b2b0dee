# Everything runs in the project's own environment, which the first target to need it builds.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test soak check mutants bench docs pin spec-diff update-spec generate clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: $(READY) ## serve a sample thread on loopback and read it: no key, no account
	$(BIN)/python scripts/demo.py

test: $(READY) ## run all tests
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile --cov --cov-report=term --cov-fail-under=95

soak: $(READY) ## read for minutes while faults come, counting descriptors and memory
	$(BIN)/python tests/soak.py

check: $(READY) ## format, lint, types, and whether the generated code is what the spec gives
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/python scripts/generate.py --check
	$(BIN)/python scripts/unasync.py --check
	$(BIN)/python -m scripts.spec.relied_on
	$(BIN)/zizmor --offline --quiet --persona pedantic .github/workflows
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/shellcheck scripts/spec/*.sh .ci/run

mutants: $(READY) ## change the core in small ways and say what no test notices: [MODULES="_paging errors"] [SAMPLE=350] [MINUTES=60]
	$(PYTHON) -m venv .venv-mutants
	.venv-mutants/bin/python -m pip install --quiet --disable-pip-version-check cosmic-ray==8.7.0
	.venv-mutants/bin/python scripts/mutants.py $(if $(SAMPLE),--sample $(SAMPLE)) $(if $(MINUTES),--minutes $(MINUTES)) $(MODULES)

bench: ## measure beside other clients, in an environment of its own; writes the tables of docs/performance.md
	$(PYTHON) -m scripts.bench

docs: $(READY) ## build the documentation site into build/docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --jobs=auto -d build/doctrees docs build/docs

pin: $(READY) ## take a new upstream spec: make pin SPEC=FILE [ARGS=--help]
	$(if $(SPEC),,$(error say which: make $@ SPEC=FILE))
	$(BIN)/python scripts/pin.py "$(SPEC)" $(ARGS)

spec-diff: $(READY) ## say how an upstream spec differs from the pinned one: make spec-diff SPEC=FILE [ARGS=--help]
	$(if $(SPEC),,$(error say which: make $@ SPEC=FILE))
	@$(BIN)/python -m scripts.spec.diff "$(SPEC)" $(ARGS)

update-spec: $(READY) ## pin and generate from the newest upstream spec, where it differs
	$(BIN)/python -m scripts.spec.update

generate: $(READY) ## make generated/ from the pinned spec, and the sync client from the async one
	$(BIN)/python scripts/generate.py
	$(BIN)/python scripts/unasync.py

clean: ## remove what the targets made
	rm -rf $(VENV) .venv-bench .venv-mutants .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist docs/reference
