# `make demo` shows a result, `make test` runs the tests; each sets up .venv by itself, with the versions that
# requirements/ pins: a clone works the same in three years. `make lock` pins the newest versions that work together.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PINNED := $(INSTALL) --require-hashes
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-annotate \
	--custom-compile-command 'make lock'

# As many processes as there are cores, but no more than 4: each takes 2 GB.
SIDE_BY_SIDE := --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: demo test lint lock clean checkpoints

demo: $(VENV)/.installed
	$(BIN)/fitcli analyze samples/squat.mp4

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(SIDE_BY_SIDE) -m 'not clock'
	$(BIN)/python -m pytest -m clock

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	[ ! -x $(BIN)/hadolint ] || $(BIN)/hadolint Dockerfile

# build.txt: what builds fitcli. run.txt: what it runs with. dev.txt: everything, PyTorch and the tools included.
lock: | $(BIN)/python
	$(INSTALL) 'uv>=0.9'
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	  | $(LOCK) - --output-file requirements/build.txt
	$(LOCK) pyproject.toml --output-file requirements/run.txt
	$(LOCK) pyproject.toml --extra dev --constraints requirements/constraints.txt \
	  --constraints requirements/build.txt --constraints requirements/run.txt --output-file requirements/dev.txt

# Trains the shipped networks again, as checkpoints/README.md tells: some hours. What is finished is not repeated.
POSES ?= ../shared/poses
CLIPS ?= ../shared/clips/dev
TRAIN = $(BIN)/fitcli train pose $(POSES) --quiet --recipe checkpoints/recipes

checkpoints: $(VENV)/.installed-dev
	for k in 0 1 2; do $(TRAIN)/tcn.toml --run runs/tcn$$k --fold $$k/3 || exit; done
	$(TRAIN)/tcn.toml --run runs/tcn
	mkdir -p runs/fold0
	for network in slowfast x3d; do \
	  $(TRAIN)/$$network.toml --run runs/$$network \
	    --teacher runs/tcn0/tcn.ckpt --teacher runs/tcn1/tcn.ckpt --teacher runs/tcn2/tcn.ckpt || exit; \
	  $(TRAIN)/$$network.toml --run runs/fold0-$$network --fold 0/3 --epochs 20 --teacher runs/tcn0/tcn.ckpt || exit; \
	  cp runs/fold0-$$network/$$network.ckpt runs/fold0/ || exit; \
	done
	cp runs/tcn0/tcn.ckpt runs/fold0/
	$(BIN)/fitcli checkpoints assemble runs/slowfast/slowfast.ckpt runs/x3d/x3d.ckpt runs/tcn/tcn.ckpt \
	  --poses $(POSES) --overwrite
	$(BIN)/fitcli checkpoints calibrate $(POSES) --fold runs/fold0 --folds 3 --elsewhere $(CLIPS) --labels $(CLIPS).tsv
	$(BIN)/fitcli evaluate $(POSES)
	$(BIN)/fitcli evaluate $(CLIPS) --labels $(CLIPS).tsv

clean:
	rm -rf build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache $(VENV)

$(BIN)/python:
	@command -v $(PYTHON) > /dev/null || { echo "fitcli needs Python 3.11 or newer, and there is no $(PYTHON) here: install it, or say which one to use: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "fitcli needs Python 3.11 or newer, and $(PYTHON) is older: install a newer one and say so: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2> /dev/null || { echo "$(PYTHON) cannot make virtual environments: sudo apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml requirements/build.txt requirements/run.txt | $(BIN)/python
	$(PINNED) --requirement requirements/build.txt
	$(PINNED) --only-binary :all: --requirement requirements/run.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@

# PyTorch with its GPU libraries is 3 GB of this download: the first set-up takes some minutes. Some packages that
# PyTorchVideo needs have no wheels; they are built with the pinned setuptools.
$(VENV)/.installed-dev: pyproject.toml requirements/build.txt requirements/dev.txt | $(BIN)/python
	$(PINNED) --requirement requirements/build.txt
	$(PINNED) --no-build-isolation --use-pep517 --requirement requirements/dev.txt
	$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/.installed
