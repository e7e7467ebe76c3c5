# Two commands are all a newcomer needs: `make train` and `make test`. Each makes .venv first if it is not there.

PYTHON ?= python3
BIN := .venv/bin
KERNELS := $(wildcard src/backlight/autograd/native/*.[ch] src/backlight/text/tokenizers/native/*.[ch]) # compiled at installation, if there is a compiler

.PHONY: train test lint fix bench docs notebooks course clean

train: .venv/.installed ## learn 32,257 names and print new ones
	@$(BIN)/backlight train

test: .venv/.installed-dev ## the whole suite
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: .venv/.installed-dev ## format, rules, types, layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fix: .venv/.installed-dev ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/.installed-dev ## every benchmark, each against its peer; the table goes to docs/performance.md
	$(BIN)/python -m benchmarks

docs: .venv/.installed-dev ## make the pictures and transcripts in README and docs again, from real runs
	$(BIN)/python scripts/make_docs.py
	$(BIN)/python scripts/make_gallery.py

notebooks: .venv/.installed-dev ## make the notebooks of the course again from their sources
	$(BIN)/python scripts/make_notebooks.py

course: .venv/.installed-dev ## run every lesson and make the pages in docs/course
	$(BIN)/python scripts/make_notebooks.py --html docs/course

clean:
	rm -rf .venv

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Backlight needs Python 3.11 or newer; {sys.executable} is {v[0]}.{v[1]}. Try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml $(KERNELS) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.installed-dev: pyproject.toml $(KERNELS) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ .venv/.installed
