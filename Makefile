# All targets make and reuse .venv by themselves, with the versions in requirements-dev.txt. PYTHON names another interpreter (3.10 to 3.13).
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
LOCKED = --constraint requirements-dev.txt

.PHONY: demo test pages lint docs setup lock

demo: $(VENV)/.installed
	$(BIN)/bricksight demo

test: $(VENV)/.installed-dev lint
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile -m "not pages"

# Runs every command of the documentation, which takes as long as all other tests.
pages: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses 2 -m pages

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

setup: $(VENV)/.installed-dev
	$(BIN)/pre-commit install

# Needs no set-up: what is locked may be what keeps it from working.
lock:
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --universal --python-version 3.10 --upgrade --quiet \
		--annotation-style line --custom-compile-command "make lock" --output-file requirements-dev.txt

$(VENV)/.installed: pyproject.toml requirements-dev.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable ".[train]" $(LOCKED)
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet "pip>=25.1"
	$(BIN)/python -m pip install --quiet --group dev $(LOCKED)
	$(BIN)/python -m pip install --quiet --no-deps tensorflowjs==4.22.0  # what it depends on excludes a current TensorFlow
	touch $@
