# Everything runs in .venv, which is made when it is not there.
PYTHON ?= python3
# Processes that share the files of tests.
WORKERS ?= 2
BIN := .venv/bin
# Threads that wait in a loop slow down the others where cores are shared: torch's must sleep,
# and of NumPy's one is enough beside them. Both are read when the libraries are imported.
export GOMP_SPINCOUNT = 0
export OPENBLAS_NUM_THREADS = 1
export TOKENIZERS_PARALLELISM = false

.PHONY: help demo test test-all test-minimum lint format docs gallery bench bench-accuracy fuzz standalone \
	audit clean

help:
	@echo "make demo        install what the demo needs, and run it"
	@echo "make test        the whole suite, offline"
	@echo "make test-all    the slow, exhaustive tests too"
	@echo "make test-minimum  the suite with the lowest versions allowed; downloads some GB"
	@echo "make lint        ruff, mypy, and the docstrings"
	@echo "make docs        the site, in docs/_build/html, with the last outputs of its examples"
	@echo "make gallery     runs the examples that have changed; takes up to 20 minutes each"
	@echo "make bench       how fast it is beside others; writes docs/speed.md; takes an hour"
	@echo "make bench-accuracy  what fine-tuning learns, beside SetFit; takes an hour"
	@echo "make fuzz        accidents and attacks by the thousand; takes many minutes"
	@echo "make standalone  a saved file in a fresh environment without weights; takes 6 GB"
	@echo "make audit       whether a dependency has a known vulnerability; needs the network"

demo: .venv/installed-demo
	$(BIN)/python docs/examples/plot_cloud_icons.py

test: .venv/installed-dev
	$(BIN)/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile

test-all: .venv/installed-dev
	$(BIN)/python -m pytest

# With the lowest versions that pyproject.toml allows.
test-minimum: .venv-minimum/installed
	.venv-minimum/bin/python -m pytest -m "not slow" -n $(WORKERS) --dist loadfile

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m tools.write_docstrings --check
	$(BIN)/python -m tools.lint_docstrings

format: .venv/installed-dev
	$(BIN)/python -m tools.write_docstrings
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Strict, and offline: a warning is an error.
docs: .venv/installed-docs
	$(BIN)/python -m sphinx -q -W --keep-going -D plot_gallery=0 docs docs/_build/html

# Their outputs are kept in docs/gallery, which is part of a change of an example.
gallery: .venv/installed-dev .venv/installed-docs
	$(BIN)/python -m sphinx -W --keep-going docs docs/_build/html

bench: .venv/installed-bench
	$(BIN)/python -m benchmarks.speed --page
	$(BIN)/python -m benchmarks.warm_row
	$(BIN)/python -m benchmarks.load
	$(BIN)/python -m benchmarks.overhead

bench-accuracy: .venv/installed-bench
	$(BIN)/python -m benchmarks.learning
	$(BIN)/python -m benchmarks.few_labels

# The slow tests beside the fuzzed ones are `make test-all`.
fuzz: .venv/installed-dev
	$(BIN)/python -m tests.faults
	$(BIN)/python -m pytest -m slow -k "damaged or fault or fuzz or processes_and_threads or properties"

standalone: .venv/installed-dev
	$(BIN)/python -m benchmarks.standalone

# Strict: a package of which nothing could be learned is an error, not one without a fault.
audit: .venv/installed-dev
	$(BIN)/pip-audit --strict --progress-spinner off .

.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip

.venv-minimum/installed: pyproject.toml
	$(PYTHON) -m venv .venv-minimum
	.venv-minimum/bin/python -m pip install --quiet uv
	.venv-minimum/bin/uv pip install --quiet --python .venv-minimum --resolution lowest-direct \
		--editable ".[offline,demo,dev]"
	@touch $@

.venv/installed-demo: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[offline,demo]"
	@touch $@

.venv/installed-dev: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[offline,demo,dev]"
	@touch $@

.venv/installed-docs: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[offline,demo,docs]"
	@touch $@

.venv/installed-bench: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --editable ".[offline,demo,dev,bench]"
	@touch $@

clean:
	rm -rf .venv .venv-minimum .pytest_cache .mypy_cache .ruff_cache docs/_build docs/api docs/examples/output
