# Two commands: `make demo` and `make test`. Both first run `make setup`, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
CONSTRAINTS := requirements/constraints.txt
# PIP_CONSTRAINT and PIP_BUILD_CONSTRAINT also reach what pip installs to build with. The log is a
# file that a failure names: what pip says of a mirror or its cache is nothing a newcomer can mend.
SETUP_LOG := $(VENV)/setup.log
PIP := PIP_CONSTRAINT='$(CURDIR)/$(CONSTRAINTS)' PIP_BUILD_CONSTRAINT='$(CURDIR)/$(CONSTRAINTS)' \
  PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip

LOGGED := >>$(SETUP_LOG) 2>&1 || { \
  grep -E '^ *(ERROR|error):' $(SETUP_LOG) | tail -n 3 >&2; \
  echo "Installing failed. The whole log is in $(SETUP_LOG)." >&2; exit 1; }

# Two workers with a thread each; a file's tests stay together and share what they prepare.
PYTEST := $(BIN)/pytest -n 2 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-nightly bench lint types unit docs linkcheck format clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## Create .venv with the tested versions (PYTHON=python3.11 chooses the Python)

# Without libGL, as in slim containers, opencv-python does not import; the build without windows does.
$(STAMP): setup.py $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || { \
	  echo "mmdpt needs Python >= 3.10; '$(PYTHON)' is older or absent." \
	    "Try: make setup PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments." \
	    "On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Installing the tested versions into $(VENV): about 2 minutes and 6 GB" \
	  "(torch for Linux comes with CUDA); once only."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@{ $(PIP) install --editable '.[tests]' && { $(BIN)/python -c 'import cv2' || { \
	    $(BIN)/python -m pip uninstall --yes opencv-python && \
	    $(PIP) install --force-reinstall --no-deps opencv-python-headless; }; } \
	} $(LOGGED)
	@touch $@

demo: setup ## Show what mmdpt does, on a picture
	@$(BIN)/python tools/demo.py

test: lint types unit ## Everything that must pass: ruff, mypy, pytest; 6 minutes on 2 cores

# What nightly tests alone need. Gradio asks for a Pillow that is not safe: its packages lie apart,
# and use the one that is tested.
APP := $(VENV)/app/.installed
$(APP): requirements/app.txt $(STAMP)
	@{ $(PIP) install --editable '.[coreml,executorch,int8]' && \
	  $(PIP) install --no-deps --upgrade --target $(@D) -r $<; } $(LOGGED)
	@touch $@

# What takes over ten seconds, and 250 cases of every hypothesis test instead of 8.
test-nightly: setup $(APP) ## Kill, starve, damage and soak it, full-size models, every export: 32 minutes on 2 cores
	$(PYTEST) -m 'nightly or hypothesis' --hypothesis-profile=long --durations=20 $(ARGS)

# On CUDA also: --dtypes fp32 bf16 fp16 --batches 1 8 32 64, see docs/speed.md.
RESULTS := benchmarks/results
bench: setup ## Measure speed and memory beside the peers, an hour on 2 cores; nothing else should run
	@device=$$($(BIN)/python -c 'import torch; print("cuda" if torch.cuda.is_available() else "cpu")'); \
	for name in inference train_step evaluation data start depth_losses scale; do \
	  case $$name in inference) options='--sizes 384 768 1152 1536 --numbers 1 2 4 8';; *) options=;; esac; \
	  echo "$$name"; \
	  $(BIN)/python benchmarks/$$name.py $$options --out $(RESULTS)/$${name}_$$device.json || exit 1; \
	done; \
	$(BIN)/python benchmarks/plot.py $(RESULTS)/inference_$$device.json $(RESULTS)/inference_$$device.png

lint: setup ## Check style and format with ruff, and which package imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pytest -q tests/test_layers.py

types: setup ## Check types with mypy
	$(BIN)/mypy

unit: setup ## Run pytest (ARGS='-m parity' adds arguments)
	$(PYTEST) $(ARGS)

SPHINX := $(BIN)/sphinx-build -W --keep-going -n -q

docs: setup ## Build the documentation site, docs/_build/html/index.html
	$(SPHINX) docs docs/_build/html

linkcheck: setup ## Open every address of the documentation (needs a network)
	$(SPHINX) -b linkcheck -D nb_execution_mode=off docs docs/_build/linkcheck

format: setup ## Let ruff rewrite what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean: ## Remove .venv, caches and build output
	rm -rf $(VENV) build dist docs/_build *.egg-info .hypothesis .mypy_cache .pytest_cache .ruff_cache
