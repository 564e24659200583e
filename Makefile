# The two commands of the README, and those of developers.  `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
PHOTO ?= tests/photographs/migrant-mother-1936.jpg
TEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile
QUICK := architecture.py files.py model.py
TESTS ?= $(QUICK:%=tests/test_%) $(addprefix tests/,color formats picture provenance installation install inference)
LINTED := server training gimp_plugin tests

.PHONY: help colorize test test-quick style lint test-gimp test-photoshop photoshop-panel train-smoke check-readme bench soak audit pictures

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

$(VENV)/main.stamp: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/test.stamp: $(VENV)/main.stamp
	$(PIP) --editable '.[train,dev]'
	# Stubs alone: what they depend on are source packages that fetch from elsewhere and cannot be built everywhere.
	$(PIP) --no-deps tensorrt-stubs==10.13.0.35.1
	@touch $@

$(VENV)/style.stamp: $(VENV)/main.stamp
	$(PIP) 'ruff>=0.9'
	@touch $@

colorize: $(VENV)/main.stamp  ## colour PHOTO=path/to/photo.jpg with the model that ships
	$(BIN)/colorize "$(PHOTO)" $(ARGS)

test: $(VENV)/test.stamp  ## install what the tests need and run them
	$(TEST) -m "not gimp and not photoshop"

test-quick: $(VENV)/test.stamp  ## what needs no server and no training; other rooms by TESTS=tests/daemon
	$(TEST) -m "not gimp and not photoshop and not slow" $(TESTS)

style: $(VENV)/style.stamp  ## style alone, before anything heavy is installed
	$(BIN)/ruff check $(LINTED)
	$(BIN)/ruff format --check $(LINTED)

lint: style $(VENV)/test.stamp  ## style, types
	$(BIN)/mypy -p colorize_server -p colorize_training

test-gimp: $(VENV)/test.stamp  ## the plug-in in a real GIMP 3.0, and what depends on layers in a 3.2 (folders made once, in a cache)
	tests/plugins/gimp/make_root.sh "" trixie
	tests/plugins/gimp/make_root.sh "" sid
	# The window alone: a neighbour that takes its processor makes what is typed into it come too early.
	COLORIZE_REQUIRE_GIMP=1 $(TEST) -m gimp tests/plugins/gimp --ignore tests/plugins/gimp/test_gimp_window.py
	COLORIZE_REQUIRE_GIMP=1 $(BIN)/python -m pytest -m gimp tests/plugins/gimp/test_gimp_window.py
	COLORIZE_REQUIRE_GIMP=1 COLORIZE_GIMP_SUITE=sid $(TEST) -m gimp tests/plugins/gimp/test_gimp_layers.py \
		tests/plugins/gimp/test_gimp_loop.py

test-photoshop: $(VENV)/test.stamp  ## the panel in the fake Photoshop host (Chromium and npm packages)
	tests/plugins/photoshop/prepare.sh
	COLORIZE_REQUIRE_PHOTOSHOP=1 $(BIN)/python -m pytest -m photoshop tests/plugins/photoshop

photoshop-panel: $(VENV)/main.stamp  ## pack the Photoshop panel as a .ccx
	$(BIN)/python -m colorize_server.install.ccx

train-smoke: $(VENV)/test.stamp  ## both stages, evaluation and export on a tiny set
	$(BIN)/python -m pytest tests/training/smoke.py

check-readme: $(VENV)/test.stamp  ## follow README, training/README and PROTOCOL word by word, in a clean clone
	$(BIN)/python tests/fixtures/check_readme.py

bench: $(VENV)/test.stamp  ## ratios measured in one run; writes bench-results/bench.json
	cd tests/programs && $(abspath $(BIN))/python -m benchmarks -o ../../bench-results/bench.json $(SECTIONS)

soak: $(VENV)/test.stamp  ## fuzz, load, faults and attacks against the real server
	cd tests/programs && $(abspath $(BIN))/python -m soak $(ARGS)

audit: $(VENV)/main.stamp  ## known vulnerabilities in the packages that users install (needs a network)
	$(PIP) pip-audit
	# Strict: a package that could not be looked up is a failure, not a pass.
	$(BIN)/pip-audit --strict --progress-spinner off .

pictures: $(VENV)/main.stamp  ## make the README's pictures again with the shipped model
	cd tests/programs && $(abspath $(BIN))/python -m benchmarks.pictures
