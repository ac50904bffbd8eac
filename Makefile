# make demo · make test · make lint · make bench: each makes its environment if there is none

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: demo test lint bench clean

demo: $(INSTALLED)
	$(BIN)/python examples/quickstart.py --out out

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses auto

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(INSTALLED)
	$(BIN)/python benchmarks/step_overhead.py
	$(BIN)/python benchmarks/spikegen.py

# torch first, at the pinned version: a range would let pip fetch a build with CUDA
$(INSTALLED): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) --editable ".[dev]"
	touch $@

clean:
	rm -rf $(VENV) build dist out *.egg-info
