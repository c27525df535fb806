# make quickstart   install, then constitution to report on tiny models
# make test         all tests
# make check        format, lint, strict types, fast tests: before every commit
# make unsloth-tests  the tests of Unsloth and of 4-bit weights, in an environment of their own
# make gpu-wheels   what a GPU machine without network lacks, into build/gpu-wheels
# make gpu-check    there: the trainers on Llama 3.1 8B's shape, in nine minutes
PYTHON ?= python3
BIN := .venv/bin
# one thread a process is faster than two that wait for each other, and gives the same bits every time
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: quickstart test check format models clean unsloth-tests gpu-wheels gpu-check
.DELETE_ON_ERROR:

quickstart: .venv/.installed
	$(BIN)/solon run examples/quickstart/recipe.yaml

test: .venv/.installed-dev
	$(BIN)/pytest -n 2 --dist worksteal

check: .venv/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest -n 2 -m "not slow and not gpu"

format: .venv/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# builds the tiny models of quickstart, detox, rlvr, rlaif_llama and constitutional_ai again, from nothing: some minutes of CPU
models: .venv/.installed
	$(BIN)/python examples/quickstart/make_models.py
	$(BIN)/python examples/detox/make_detox.py
	$(BIN)/python examples/rlvr/make_rlvr.py
	$(BIN)/python examples/rlaif_llama/make_village.py
	$(BIN)/python examples/constitutional_ai/make_reviser.py

UNSLOTH := build/unsloth
purelib = $(1)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))'

unsloth-tests: $(UNSLOTH)/.installed
	$(UNSLOTH)/bin/python -m pytest tests/training/test_unsloth.py tests/training/test_four_bit.py

# sees what .venv holds, and has on top what .venv does without
$(UNSLOTH)/.installed: constraints.txt | .venv/.installed-dev
	$(BIN)/python -m venv --clear $(UNSLOTH)
	echo "import site; site.addsitedir('$$($(call purelib,.venv))')" > "$$($(call purelib,$(UNSLOTH)))/beneath.pth"
	$(UNSLOTH)/bin/pip install --quiet --no-deps -c constraints.txt unsloth unsloth_zoo bitsandbytes
	@touch $@

GPU_WHEELS ?= build/gpu-wheels
# the version of Python on the GPU machine, if it is another than here, and of its torch's CUDA
GPU_PYTHON ?= $(shell $(BIN)/python -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || echo 3.11)
GPU_CUDA ?= 130

gpu-wheels: .venv/.installed
	$(BIN)/python benchmarks/gpu/wheels.py $(GPU_WHEELS) --python $(GPU_PYTHON) --cuda $(GPU_CUDA)

# by the Python that has torch, into which nothing is installed
gpu-check:
	$(PYTHON) benchmarks/gpu/check.py --wheels $(GPU_WHEELS) --write docs/results/gpu.md

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "solon needs Python 3.11 or newer; say which: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet -c constraints.txt -e '.[all]'
	@touch $@

.venv/.installed-dev: .venv/.installed
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache
