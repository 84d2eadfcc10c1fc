# make quickstart: install, run a real sweep, print its results, write its report.   make test: install, run the test suite.
PYTHON ?= python3
TEST_PROCESSES ?= 3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: install quickstart test test-all check docs notebooks pictures bench gpu chaos clean

install: $(VENV)/.installed
quickstart: install
	$(BIN)/robustsweep launch quickstart
	$(BIN)/robustsweep results quickstart
	@$(BIN)/robustsweep report quickstart && echo "its report is written: open quickstart-report.html in a browser"

test: $(VENV)/.installed-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder --durations 25

# With what only slow tests use: W&B, OptunaHub, and an MLflow server, in an environment of its own, since its versions are not ours.
test-all: $(VENV)/.installed-dev $(VENV)/.installed-mirrors
	ROBUSTSWEEP_TEST_MLFLOW=$(CURDIR)/build/mlflow/bin/mlflow $(BIN)/python -m pytest -m "not bench"

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# The site, into build/site; what the pages have from the program itself is written anew.
docs: $(VENV)/.installed-dev
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

# The notebooks of the pages, executed anew.
notebooks: $(VENV)/.installed-dev
	$(BIN)/python -m docs.generate.notebooks

# The pictures of README and the pages, from the sweep quickstart.
pictures: $(VENV)/.installed-dev
	$(BIN)/robustsweep launch quickstart --home build/pictures
	$(BIN)/robustsweep report quickstart --home build/pictures --output build/pictures/report.html \
	  --figures build/pictures/figures --only summary,accuracy_epsilon --width 5in --font-size 9
	cp build/pictures/figures/accuracy-against-epsilon-*.svg docs/pictures/
	$(BIN)/python -m docs.generate.pictures build/pictures docs/pictures

bench: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/benchmarks -m bench -s

# Everything that needs a GPU to be shown, in nine minutes, into build/gpu.json; without a GPU its stand-ins. Needs no Ray and no network.
gpu:
	$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m tests.gpu

# A sweep under random kills; CHAOS_SEED=N repeats those of an earlier run.
chaos: $(VENV)/.installed-dev
	$(BIN)/python -m tests.faults.chaos $(if $(CHAOS_SEED),--seed $(CHAOS_SEED)) $(if $(CHAOS_EXECUTOR),--executor $(CHAOS_EXECUTOR))

clean:
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) -V 2>&1): robustsweep needs Python 3.11 or newer (make PYTHON=python3.12 ...)"; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing into $(VENV): PyTorch and Ray are large, this takes a minute or two"
	$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.installed-mirrors: $(VENV)/.installed-dev
	$(PIP_INSTALL) --editable '.[optunahub,wandb]'
	$(BIN)/python -m venv build/mlflow
	build/mlflow/bin/python -m pip install --quiet --disable-pip-version-check 'mlflow==3.17.2'
	@touch $@

$(VENV)/.installed-dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing into $(VENV), with what tests need: PyTorch and Ray are large, this takes a minute or two"
	$(PIP_INSTALL) --editable '.[dev,docs,postgres]'
	@touch $(VENV)/.installed $@
