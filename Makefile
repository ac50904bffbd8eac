# make demo, test, lint, docs, results or bench: each makes its environment if there is none

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
KERNEL := $(sort $(wildcard snntorch/_kernels/cpu/*.c snntorch/_kernels/cpu/*.inc))
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt
BENCH := .venv-bench
BENCH_PIP := $(BENCH)/bin/python -m pip install --quiet --constraint constraints.txt
SANITIZED := tests/unroll/test_native.py tests/unroll/test_step.py tests/unroll/test_random.py \
    tests/unroll/test_unroll.py tests/unroll/test_products.py
PEERS := spikingjelly loguru norse nir nirtorch h5py sinabs pbr
INTEROP := .venv-interop
INTEROP_PIP := $(INTEROP)/bin/python -m pip install --quiet --constraint constraints.txt \
    --constraint benchmarks/constraints.txt
NEUROBENCH := .venv-neurobench
NEUROBENCH_PIP := $(NEUROBENCH)/bin/python -m pip install --quiet --constraint constraints.txt \
    --constraint benchmarks/constraints.txt
FRAMEWORKS := norse sinabs pbr spikingjelly loguru rockpool nirtorch

.PHONY: demo test lint docs tutorials results bench interop neurobench sanitize fuzz long mutants coverage clean

demo: $(INSTALLED)
	$(BIN)/python examples/quickstart.py --out out
	$(BIN)/python examples/export_nir.py --out out

test: $(INSTALLED)
	$(BIN)/python -m pytest --numprocesses auto $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml snntorch

# the pages are in docs/_build/html; runs the tutorials, whose pages are what ran
docs: $(INSTALLED)
	$(BIN)/sphinx-build -W --keep-going -q docs docs/_build/html
	$(BIN)/python docs/links.py docs/_build/html

# every tutorial from top to bottom, as a notebook in out/tutorials; ARGS="02_lif_neuron 05_*"
tutorials: $(INSTALLED)
	$(BIN)/python tutorials/run.py $(ARGS)

# what nets reach: the tables of docs/results.rst; ARGS="--size nightly", ARGS="digits --write"
results: $(INSTALLED)
	$(BIN)/python recipes/run.py $(ARGS)

# the kernel's tests with a kernel that watches every access and every undefined operation
sanitize: $(INSTALLED)
	mkdir -p out/sanitize
	gcc -shared -fPIC -O1 -g -std=gnu11 -ffp-contract=off -fno-math-errno -pthread \
	    -DSOURCES=0x$$(cat $(KERNEL) | sha256sum | cut -c1-16)ull \
	    -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
	    -o out/sanitize/_kernel.so snntorch/_kernels/cpu/kernel.c
	LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libubsan.so)" \
	    ASAN_OPTIONS=detect_leaks=0 SNNTORCH_KERNEL=out/sanitize \
	    $(BIN)/python -m pytest --numprocesses auto $(SANITIZED)

# random programs, as loops and deferred: 20,000 beyond those of `make test`; 2,000 random neurons
# and lives of neurons for each of their properties; and 100,000 calls of whatever is public with
# wrong arguments: how many there were, and what was found by callable
fuzz: $(INSTALLED)
	$(BIN)/python -m tests.fuzz_calls --count 100000 --first 5000
	$(BIN)/python -m pytest --numprocesses auto --hypothesis-profile fuzz \
	    tests/test_properties.py tests/test_state_machine.py
	FUZZ_FIRST=500 FUZZ_COUNT=20000 $(BIN)/python -m pytest --numprocesses auto \
	    tests/deferred/test_programs.py

# runs of 100,000 steps and 10,000 nets, and what memory they take
long: $(INSTALLED)
	LONG_STEPS=100000 LONG_NETS=10000 $(BIN)/python -m pytest -s -k "not grows" tests/test_long_runs.py

# whether the tests notice small changes of the sources; ARGS="--area loss --sample 50"
mutants: $(INSTALLED)
	$(BIN)/python tests/mutants.py $(ARGS)

# the tests, and which lines and branches they reach
coverage:
	$(MAKE) test ARGS="--cov --cov-report=json:out/coverage.json"
	$(BIN)/python tests/floors.py out/coverage.json

# beside other packages, then of this one alone; ARGS="--only W1" chooses of the first
bench: $(BENCH)/.installed
	$(BENCH)/bin/python benchmarks/sequences.py --json out/sequences.json $(ARGS)
	$(BENCH)/bin/python benchmarks/step_overhead.py
	$(BENCH)/bin/python benchmarks/any_net.py
	$(BENCH)/bin/python benchmarks/products.py
	$(BENCH)/bin/python benchmarks/memory.py
	$(BENCH)/bin/python benchmarks/own_neurons.py
	$(BENCH)/bin/python benchmarks/spikegen.py
	$(BENCH)/bin/python benchmarks/spikeplot.py

# our NIR graphs in other frameworks, and theirs here: the table of docs/nir.rst
interop: $(INTEROP)/.installed
	$(INTEROP)/bin/python benchmarks/interop.py

# what nets cost, as NeuroBench counts it and as snn.profile does; ARGS=--write records the former
neurobench: $(NEUROBENCH)/.installed
	$(NEUROBENCH)/bin/python -m benchmarks.costs $(ARGS)

# torch first, at the pinned version: a range would let pip fetch a build with CUDA
$(INSTALLED): setup.py pyproject.toml constraints.txt $(KERNEL)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) --editable ".[dev]"
	touch $@

# the peers come without their dependencies, which would bring another torch and torchvision
$(BENCH)/.installed: setup.py pyproject.toml constraints.txt benchmarks/constraints.txt $(KERNEL)
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH_PIP) torch
	$(BENCH_PIP) --editable ".[plot]"
	$(BENCH_PIP) --constraint benchmarks/constraints.txt --no-deps $(PEERS)
	touch $@

# the frameworks come without their dependencies, too: sinabs asks for an older nir
$(INTEROP)/.installed: setup.py pyproject.toml constraints.txt benchmarks/constraints.txt $(KERNEL)
	test -x $(INTEROP)/bin/python || $(PYTHON) -m venv $(INTEROP)
	$(INTEROP_PIP) torch
	$(INTEROP_PIP) --editable ".[plot,nir]" scipy
	$(INTEROP_PIP) --no-deps $(FRAMEWORKS)
	touch $@

# it asks for snntorch, which is this package
$(NEUROBENCH)/.installed: setup.py pyproject.toml constraints.txt benchmarks/constraints.txt $(KERNEL)
	test -x $(NEUROBENCH)/bin/python || $(PYTHON) -m venv $(NEUROBENCH)
	$(NEUROBENCH_PIP) torch
	$(NEUROBENCH_PIP) --editable . neurobench
	touch $@

clean:
	rm -rf $(VENV) $(BENCH) $(INTEROP) $(NEUROBENCH) build dist out *.egg-info docs/_build docs/_gallery docs/api/_generated \
	    docs/api/fixed.rst docs/api/layers.rst docs/api/neurons.rst docs/tutorials/*.ipynb
