# The two commands of the README, and those of developers.  `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PHOTO ?= tests/photographs/migrant-mother-1936.jpg
SOURCES := $(wildcard pyproject.toml)

.PHONY: help colorize test

help:  ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 20

$(VENV)/main.stamp: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/test.stamp: $(VENV)/main.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train,dev]'
	@touch $@

colorize: $(VENV)/main.stamp  ## colorize PHOTO=path/to/photo.jpg with the model that ships in the repository
	$(BIN)/colorize $(PHOTO)

test: $(VENV)/test.stamp  ## install what the tests need and run them
	$(BIN)/python -m pytest
