# make quickstart   install, then constitution to report on tiny models
# make test         all tests
# make check        format, lint, strict types, fast tests: before every commit
# make reliability  faults, kills, hostile input and secrets at full size; writes docs/results/reliability.md
# make audit        hashes and .pth files of what is installed, known vulnerabilities, licences
# make pins         supply/*.txt anew: every package of CI with its hashes; UPGRADE=1 takes the newest that fit
# make docs         the site, into site/
# make unsloth-tests  the tests of Unsloth and of 4-bit weights, in an environment of their own
# make interchange-tests  what is converted, read by Axolotl, LLaMA-Factory, OpenRLHF and distilabel themselves
# make gpu-wheels   what a GPU machine without network lacks, into build/gpu-wheels
# make gpu-check    there: the trainers on Llama 3.1 8B's shape, in nine minutes
PYTHON ?= python3
BIN := .venv/bin
# one thread a process is faster than two that wait for each other, and gives the same bits every time
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: quickstart test check reliability audit pins lint format docs reference linkcheck models clean unsloth-tests interchange-tests gpu-wheels gpu-check
.DELETE_ON_ERROR:

quickstart: .venv/.installed
	$(BIN)/solon run examples/quickstart/recipe.yaml

test: .venv/.installed-dev
	$(BIN)/pytest -n 2 --dist worksteal

check: lint
	$(BIN)/pytest -n 2 -m "not slow and not gpu"

reliability: .venv/.installed-dev build/fuzz/.installed
	$(BIN)/python benchmarks/reliability.py --write

audit: .venv/.installed-dev build/supply/.installed
	$(BIN)/python supply/audit.py

pins: build/supply/.installed
	build/supply/bin/python supply/pins.py $(if $(UPGRADE),--upgrade)

lint: .venv/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

SPHINX := $(BIN)/sphinx-build --fresh-env --fail-on-warning --keep-going --nitpicky --quiet --conf-dir docs/building

docs: .venv/.installed-docs
	$(SPHINX) --doctree-dir build/doctrees . site
	@echo "site/index.html"

# the pages of docs/reference that are written from the code
reference: .venv/.installed-docs
	PYTHONPATH=docs/building $(BIN)/python -m reference

# asks every address outside that a page names; needs a network
linkcheck: .venv/.installed-docs
	$(SPHINX) --builder linkcheck --doctree-dir build/doctrees . build/linkcheck

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

INTERCHANGE := build/interchange

interchange-tests: $(INTERCHANGE)/.installed
	$(INTERCHANGE)/bin/python -m pytest tests/interchange

# as for Unsloth; of what these libraries depend on only what their readers of data import
$(INTERCHANGE)/.installed: tests/interchange/requirements.txt | .venv/.installed-dev
	$(BIN)/python -m venv --clear $(INTERCHANGE)
	echo "import site; site.addsitedir('$$($(call purelib,.venv))')" > "$$($(call purelib,$(INTERCHANGE)))/beneath.pth"
	$(INTERCHANGE)/bin/pip install --quiet --no-deps -r tests/interchange/requirements.txt
	@touch $@

# fuzzing guided by coverage, for which there are not packages for every Python: without them its tests are skipped
build/fuzz/.installed: pyproject.toml constraints.txt | .venv/.installed-dev
	$(BIN)/python -m venv --clear build/fuzz
	echo "import site; site.addsitedir('$$($(call purelib,.venv))')" > "$$($(call purelib,build/fuzz))/beneath.pth"
	build/fuzz/bin/pip install --quiet --no-deps -c constraints.txt atheris && touch $@ || echo "atheris is not to be had here"

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

# for CI, in place of the three others: the same versions, and no file that is not in the lists
.venv/.installed-ci: pyproject.toml supply/requirements.txt supply/build.txt supply/cpu.txt | .venv/bin/python
	$(BIN)/pip install --quiet --require-hashes --no-deps -r supply/build.txt
	$(BIN)/pip install --quiet --require-hashes --no-deps -r supply/cpu.txt || { echo "no build of torch for CPUs is \
	at hand: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu has it"; exit 1; }
	$(BIN)/pip install --quiet --require-hashes --no-deps --no-build-isolation --use-pep517 -r supply/requirements.txt
	$(BIN)/pip install --quiet --no-index --no-deps --no-build-isolation -e .
	$(BIN)/pip check
	@touch .venv/.installed .venv/.installed-dev .venv/.installed-docs $@

build/supply/.installed: supply/tools.txt
	$(PYTHON) -m venv --clear build/supply
	build/supply/bin/pip install --quiet --require-hashes --no-deps -r supply/tools.txt
	@touch $@

.venv/.installed-docs: pyproject.toml constraints.txt | .venv/bin/python
	$(BIN)/pip install --quiet -c constraints.txt -e '.[docs]'
	@touch $@

clean:
	rm -rf build dist site .pytest_cache .mypy_cache .ruff_cache
