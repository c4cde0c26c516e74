# make train | test | nightly | lint | types | docs | wheel | oldest | format | lock | clean; the first call makes .venv from
# requirements.lock
PYTHON ?= python3
SCRIPTS := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
BIN := .venv/$(SCRIPTS)
INSTALLED := .venv/.installed

.DEFAULT_GOAL := help
# Fuzzing: how many cases, and which; the same seed makes the same ones.
FUZZ_CASES ?= 10000
FUZZ_SEED ?= $(shell date +%Y%m%d)

.PHONY: help install train test nightly lint types docs check wheel oldest format lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

train: install ## train ResNet18 on the drawn demo faces, then test it (ARGS="model=deep_emotion" adds overrides)
	$(BIN)/python train.py $(ARGS)

# One more than there are cores: many tests wait for a command that they have started.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(8, (os.cpu_count() or 1) + 1))')

# Workers and the commands that they start would otherwise compile the same files again and again.
test: export PYTHONDONTWRITEBYTECODE =
test: install ## run the tests (ARGS="tests/nets" a part of them)
	$(BIN)/python -m pytest -n $(WORKERS) --dist=loadfile --no-loadscope-reorder $(ARGS)

nightly: install ## fuzz readers and server with 10,000 cases, which differ from day to day; the slow tests; kills at random moments
	FUZZ_CASES=$(FUZZ_CASES) FUZZ_SEED=$(FUZZ_SEED) $(BIN)/python -m pytest tests/test_fuzzing.py tests/data/test_cache.py \
		tests/use/test_malformed_requests.py $(ARGS)
	$(BIN)/python -m pytest -m nightly $(ARGS)
	$(BIN)/python -m tests.kills 3 $(FUZZ_SEED)

check: lint types docs test ## all that CI runs

lint: install ## ruff, lint and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install ## mypy --strict on the package
	$(BIN)/mypy

# Not --quiet, which hides the warnings from --strict too. The variable switches off mkdocs-material's notice that it
# reaches its end of life in May 2027.
docs: install ## the documentation, into site/index.html; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

wheel: install ## build the package into dist/, and test it in an environment of its own
	$(BIN)/uv build --quiet --wheel --out-dir dist
	$(BIN)/python -m pytest tests/test_wheel.py tests/test_installation.py -m "" $(ARGS)

# Old releases run here beside today's releases of what they need themselves, and warn of what is deprecated in those;
# also in the commands that tests start. torch 2.11 warns of a buffer of its own when it loads an exported program.
OLD_WARNINGS := ignore::DeprecationWarning,ignore::FutureWarning,ignore::UserWarning:torchmetrics.utilities.distributed
oldest: install ## run the tests with everything that pyproject.toml names at its lower bound, in .venv-oldest (6 GB on Linux)
	$(PYTHON) -m venv --clear .venv-oldest
	$(BIN)/uv pip install --python .venv-oldest/$(SCRIPTS)/python --resolution lowest-direct -r pyproject.toml \
		--extra sweeps --extra postgres --extra heic --extra parquet --extra export --extra serve
	$(BIN)/uv pip install --python .venv-oldest/$(SCRIPTS)/python pytest pytest-xdist hypothesis hatchling httpx
	PYTHONWARNINGS=$(OLD_WARNINGS) .venv-oldest/$(SCRIPTS)/python -m pytest -n auto --maxprocesses=8 --dist=loadfile \
		--no-loadscope-reorder -W ignore::DeprecationWarning -W ignore::FutureWarning -W ignore::PendingDeprecationWarning \
		-W "ignore:The given buffer is not writable:UserWarning" $(ARGS)

format: install ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(INSTALLED) ## the virtual environment, with the locked dependencies

# uv installs in seconds what takes pip minutes; nothing else needs it.
$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit("fer_lightning needs Python 3.11 or newer, not " + sys.version.split()[0] + ": make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet uv==0.13.8
	$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	@touch $@

lock: install ## solve pyproject.toml again into requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.11 --extra dev --extra sweeps \
		--extra docs --no-header --no-emit-index-url pyproject.toml -o requirements.lock

clean: ## remove .venv and caches; outputs/ and data/ stay
	rm -rf .venv .venv-oldest dist site .mypy_cache .pytest_cache .ruff_cache
