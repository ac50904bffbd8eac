# make demo, test, lint, docs or bench: each makes its environment if there is none

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
KERNEL := $(wildcard snntorch/_unroll/_native*.c snntorch/_unroll/_native*.inc)
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
BENCH := .venv-bench
BENCH_PIP := $(BENCH)/bin/python -m pip install --quiet --constraint constraints.txt
PEERS := spikingjelly loguru norse nir nirtorch h5py sinabs pbr

.PHONY: demo test lint docs bench clean

demo: $(INSTALLED)
	$(BIN)/python examples/quickstart.py --out out

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses auto

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# the pages are in docs/_build/html
docs: $(INSTALLED)
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html

# beside other packages, then of this one alone; ARGS="--only W1" chooses of the first
bench: $(BENCH)/.installed
	$(BENCH)/bin/python benchmarks/sequences.py --json out/sequences.json $(ARGS)
	$(BENCH)/bin/python benchmarks/step_overhead.py
	$(BENCH)/bin/python benchmarks/spikegen.py
	$(BENCH)/bin/python benchmarks/spikeplot.py

# torch first, at the pinned version: a range would let pip fetch a build with CUDA
$(INSTALLED): pyproject.toml constraints.txt $(KERNEL)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) --editable ".[dev]"
	touch $@

# the peers come without their dependencies, which would bring another torch and torchvision
$(BENCH)/.installed: pyproject.toml constraints.txt benchmarks/constraints.txt $(KERNEL)
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH_PIP) torch
	$(BENCH_PIP) --editable ".[plot]"
	$(BENCH_PIP) --constraint benchmarks/constraints.txt --no-deps $(PEERS)
	touch $@

clean:
	rm -rf $(VENV) $(BENCH) build dist out *.egg-info docs/_build docs/_gallery docs/api/_generated
