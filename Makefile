# Two commands matter: `make book` builds the pages, `make test` checks everything.
# Each Python version gets an environment of its own; `make test PYTHON=python3.13` uses another one.
# Written for GNU make 3.81 and later (3.81 is what macOS ships).

PYTHON ?= python3
PYTHON_VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VENV := .venv/py$(PYTHON_VERSION)
VENV_PYTHON := $(VENV)/bin/python
HTML := _build/html/index.html
PIP_INSTALL := $(VENV_PYTHON) -m pip install -qq --disable-pip-version-check --constraint constraints.txt

# Nothing personal reaches a test: no start-up files, no registered kernels, no plotting styles.
OWN := $(CURDIR)/$(VENV)/own
CLEAN_ENV := PYTHONPATH= JUPYTER_PATH= JUPYTER_PREFER_ENV_PATH=1 JUPYTER_CONFIG_DIR="$(OWN)" \
  IPYTHONDIR="$(OWN)/ipython" MPLCONFIGDIR="$(OWN)/matplotlib" PYDEVD_DISABLE_FILE_VALIDATION=1 \
  PATH="$(CURDIR)/$(VENV)/bin:$$PATH"
# One thread: two threads on a busy machine spin.
TEST_ENV := $(CLEAN_ENV) OMP_NUM_THREADS=1 MPLBACKEND=Agg
# A chapter's figures need the kernel's own backend (an empty MPLBACKEND), and a tester's GPU must
# not change what a chapter prints.
CHAPTER_ENV := $(TEST_ENV) MPLBACKEND= DIEN_EDU_PROFILE=quick CUDA_VISIBLE_DEVICES= PYTHONHASHSEED=0

.DEFAULT_GOAL := help
.PHONY: help book colab colabrun test pytest nbval data fuzz steady versions serve execute stubs status \
  coverage mutation record train bench lint format constraints linkcheck \
  clean distclean check-python
.NOTPARALLEL:

help: ## show this list
	@echo "DIEN, Taken Apart. Targets:"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo "Options: PYTHON=python3.13 (any of 3.11, 3.12, 3.13), CHAPTER=03-gru (execute, nbval), PORT=8000 (serve)"

book: $(VENV)/.book-ready ## build the pages (no torch needed); warnings are errors
	@$(CLEAN_ENV) $(VENV)/bin/jupyter-book build . --all --quiet -W --keep-going -n >/dev/null
	@echo "The book is built. Open: file://$(CURDIR)/$(HTML)"

colab: $(VENV)/.book-ready ## write each chapter as one self-contained notebook, into colab/
	@$(CLEAN_ENV) $(VENV_PYTHON) _ext/colab_notebooks.py

colabrun: colab $(VENV)/.test-ready ## run those notebooks as a reader would; CHAPTER=03-gru
	@cd $(VENV) && $(TEST_ENV) MPLBACKEND= DIEN_EDU_PROFILE=quick bin/python \
	  $(CURDIR)/_ext/colab_run.py --colab $(CURDIR)/colab $(CHAPTER)

test: $(VENV)/.test-ready ## run every test, then every chapter
	@$(MAKE) --no-print-directory data pytest nbval

data: $(VENV)/.test-ready ## fetch the small data set, once
	@$(CLEAN_ENV) $(VENV_PYTHON) -m dien_edu data movielens-100k

pytest: $(VENV)/.test-ready ## only the tests in tests/; ARGS="-k name" passes options on
	@$(TEST_ENV) $(VENV_PYTHON) -m pytest -q tests $(ARGS)

nbval: $(VENV)/.test-ready ## only the chapters: run each cell and compare with its stored output
	@$(CHAPTER_ENV) $(VENV_PYTHON) -m pytest -q --nbval --nbval-current-env \
	  --nbval-sanitize-with tests/nbval-sanitize.cfg $(if $(CHAPTER),book/$(CHAPTER).ipynb,book/)

fuzz: $(VENV)/.test-ready ## load mutated data files; ARGS="--files 100000 --seed 1"
	@$(TEST_ENV) $(VENV_PYTHON) tests/data/mutate.py $(ARGS)

steady: $(VENV)/.test-ready ## the chapters TIMES=20 times in a row, on a machine kept busy
	@$(CHAPTER_ENV) $(VENV_PYTHON) _ext/steady.py $(or $(TIMES),20) $(if $(CHAPTER),book/$(CHAPTER).ipynb,book)

versions: ## test the oldest and newest versions that we allow (needs uv); ARGS="3.11:oldest"
	@$(CLEAN_ENV) $(PYTHON) _ext/versions.py $(ARGS)

serve: ## serve the built pages on this machine
	@test -f $(HTML) || { echo "Nothing is built yet. Run: make book" >&2; exit 1; }
	@echo "Serving http://localhost:$(or $(PORT),8000) (stop with Ctrl-C)"
	@$(PYTHON) -m http.server --bind localhost --directory _build/html $(or $(PORT),8000)

execute: $(VENV)/.test-ready ## run the chapters again, in place: all, or CHAPTER=03-gru
	@$(CHAPTER_ENV) $(VENV_PYTHON) _ext/execute.py $(if $(CHAPTER),book/$(CHAPTER).ipynb,book)

stubs: $(VENV)/.test-ready ## make what a reader fills in at each exercise, from its solution
	@$(CLEAN_ENV) $(VENV_PYTHON) _ext/stubs.py book

status: $(VENV)/.test-ready ## measure how long each chapter runs, for the page that lists it
	@$(CHAPTER_ENV) $(VENV_PYTHON) _ext/execute.py --measure $(if $(CHAPTER),book/$(CHAPTER).ipynb,book)

coverage: $(VENV)/.test-ready ## which lines of the package the tests run; fails below the bound
	@mkdir -p build && rm -f build/coverage*
	@$(TEST_ENV) $(VENV_PYTHON) -m coverage run -m pytest -q tests $(ARGS)
	@$(VENV_PYTHON) -m coverage combine --quiet
	@$(VENV_PYTHON) -m coverage report --show-missing --skip-covered

mutation: $(VENV)/.test-ready ## change one thing in a layer at a time: do its tests notice? ARGS="--only gru.py"
	@$(TEST_ENV) $(VENV_PYTHON) tests/layers/mutation.py $(ARGS)

record: $(VENV)/.test-ready ## let CHAPTER=03-gru write its results (full profile), then run it again
	@test -n "$(CHAPTER)" || { echo "Name a chapter: make record CHAPTER=03-gru" >&2; exit 1; }
	@$(CHAPTER_ENV) DIEN_EDU_PROFILE=full $(VENV_PYTHON) _ext/execute.py book/$(CHAPTER).ipynb
	@$(MAKE) --no-print-directory execute

train: $(VENV)/.test-ready ## train DIEN on MovieLens-100K; ARGS="--epochs 1" passes options on
	@$(CLEAN_ENV) $(VENV_PYTHON) -m dien_edu train --data movielens-100k --model dien --seed 0 $(ARGS)

bench: $(VENV)/.test-ready ## time a training step, ours beside three peers; ARGS="--rounds 3 --only ours,gru"
	@$(CLEAN_ENV) $(VENV_PYTHON) -m benchmarks.run $(ARGS)

lint: $(VENV)/.test-ready ## check style, in notebooks too
	@$(VENV)/bin/ruff check --quiet .
	@$(VENV)/bin/ruff format --check --quiet . || { echo "Run: make format" >&2; exit 1; }

format: $(VENV)/.test-ready ## bring the code into the one style
	@$(VENV)/bin/ruff check --quiet --fix-only .
	@$(VENV)/bin/ruff format --quiet .

linkcheck: $(VENV)/.book-ready ## check every external link (needs the network)
	@$(CLEAN_ENV) $(VENV)/bin/jupyter-book build . --all --quiet --builder linkcheck

constraints: ## pin anew the newest versions for every Python we support (needs uv)
	@command -v uv >/dev/null || { echo "uv is missing. Run: pip install uv" >&2; exit 1; }
	@sed -n '/^#/p;/^[^#]/q' constraints.txt > constraints.tmp
	@uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
	  requirements.txt > constraints.all
	@grep -vE '^(nvidia-|cuda-)|pypy' constraints.all >> constraints.tmp
	@mv constraints.tmp constraints.txt && rm constraints.all

clean: ## remove what was built
	@rm -rf _build build colab dist .pytest_cache .ruff_cache .hypothesis

distclean: clean ## remove the environments as well
	@rm -rf .venv *.egg-info

# The set-up. A stamp inside the environment is older than the files it depends on, or it is done.
WANTED := Name a Python 3.11, 3.12 or 3.13, for example: make book PYTHON=python3.12
check-python:
	@:$(if $(PYTHON_VERSION),,$(error '$(PYTHON)' does not start. $(WANTED)))
	@:$(if $(filter 3.11 3.12 3.13,$(PYTHON_VERSION)),,$(error '$(PYTHON)' is Python $(PYTHON_VERSION). $(WANTED)))

$(VENV)/.made: | check-python
	@echo "Making an environment in $(VENV) ..."
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
	@mkdir -p $(VENV)/own
	@touch $@

$(VENV)/.book-ready: requirements-book.txt constraints.txt $(VENV)/.made | check-python
	@echo "Installing what builds the book (a minute, once) ..."
	@$(PIP_INSTALL) -r requirements-book.txt
	@touch $@

$(VENV)/.test-ready: requirements.txt requirements-book.txt constraints.txt pyproject.toml $(VENV)/.made | check-python
	@echo "Installing what runs and tests it, torch included (some minutes, once) ..."
	@$(PIP_INSTALL) -r requirements.txt
	@$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@
