# `make demo` shows a result, `make test` runs the tests; each sets up .venv by itself.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint clean

demo: $(VENV)/.installed
	$(BIN)/fitcli analyze samples/squat.mp4

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

clean:
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache $(VENV)

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || { echo "fitcli needs Python 3.11 or newer, and there is no $(PYTHON) here: install it, or say which one to use: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "fitcli needs Python 3.11 or newer, and $(PYTHON) is older: install a newer one and say so: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null || { echo "$(PYTHON) cannot make virtual environments: sudo apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# PyTorch is most of the download: the first set-up takes some minutes.
$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed
