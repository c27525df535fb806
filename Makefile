# make quickstart   install, then constitution to report on tiny models
# make test         all tests
# make check        format, lint, strict types, fast tests: before every commit
PYTHON ?= python3
BIN := .venv/bin
# one thread a process is faster than two that wait for each other, and gives the same bits every time
export OMP_NUM_THREADS ?= 1
export TOKENIZERS_PARALLELISM ?= false

.PHONY: quickstart test check format models clean
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

# builds the quickstart's tiny models again, from nothing: a few minutes of CPU
models: .venv/.installed
	$(BIN)/python examples/quickstart/make_models.py

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
