# Needs Python >= 3.11, make and a network; every environment is made from nothing. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

# The first interpreter that is new enough and can make environments.
ENOUGH := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.11 python3 python3.12 python3.13 python; do \
	if "$$p" -c '$(ENOUGH)' >/dev/null 2>&1; then echo "$$p"; break; fi; done)

# make demo: the option --case of the example, and any others.
CASE ?=
ARGS ?=
DEMO_OPTIONS = $(if $(CASE),--case $(CASE)) $(ARGS)

# make demo, make bench: cpu or gpu; and the CUDA that the driver takes (nvidia-smi shows it), 12 or 13.
DEVICE ?= cpu
CUDA ?= 12
IS_GPU = $(filter gpu,$(DEVICE))
READY = $(if $(IS_GPU),cuda$(CUDA),ready)
# Where nvidia-smi lists no GPU, nothing is installed for one.
NO_GPU := $(if $(IS_GPU),$(if $(shell nvidia-smi --list-gpus 2>/dev/null),,none))
SKIP = @echo "make $@ DEVICE=gpu: skipped, nvidia-smi lists no GPU (see docs/gpu.md)"

# make test: worker processes (0: none), and further arguments of pytest.
WORKERS ?= 2
PYTEST_ARGS ?=

PACKAGES := sparsejac coloring kernels
PIP := bin/python -m pip --disable-pip-version-check
TEST := .venv-test/bin

# Only folders that exist already are checked, so that a thin checkout can be tested too.
SOURCES := $(wildcard $(PACKAGES) bench tests docs requirements conftest.py)

.PHONY: help
help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

.PHONY: demo
demo: $(if $(NO_GPU),,.venv-demo/$(READY)) ## AC power flow on a real grid; CASE=case118 ARGS='--no-plot' choose; DEVICE=gpu CUDA=12
	$(if $(NO_GPU),$(SKIP),.venv-demo/bin/python docs/examples/$(if $(IS_GPU),gpu_newton,power_flow).py $(DEMO_OPTIONS))

.PHONY: test
test: lint types layers pytest ## everything that CI checks

.PHONY: pytest
pytest: .venv-test/$(if $(NO_GPU),ready,$(READY)) ## tests and doctests only; WORKERS=0 PYTEST_ARGS='-k name' choose
	$(TEST)/python -m pytest -n $(WORKERS) $(WATCHED) $(PYTEST_ARGS)

# Not a part of `make test`: nothing depends on what it finds, and Python is more than twice as slow while it looks.
.PHONY: coverage
coverage: WATCHED := $(addprefix --cov=,$(PACKAGES)) --cov-report=term
coverage: pytest ## the same tests, and which lines none of them reaches

.PHONY: sanitize
sanitize: $(if $(NO_GPU),,.venv-test/$(READY)) ## compute-sanitizer over the tests on a GPU: DEVICE=gpu CUDA=12
	$(if $(IS_GPU),,$(error make sanitize: give DEVICE=gpu))$(if $(NO_GPU),$(SKIP),for tool in memcheck racecheck; do compute-sanitizer --tool $$tool --error-exitcode 1 \
		$(TEST)/python -m pytest -k 'gpu and not emulated' tests/sparsejac/device tests/coloring/device; done)

.PHONY: lint
lint: .venv-test/ready ## ruff: rules and format
	$(TEST)/ruff check $(SOURCES)
	$(TEST)/ruff format --check $(SOURCES)

.PHONY: format
format: .venv-test/ready ## ruff: repair what it can
	$(TEST)/ruff check --fix $(SOURCES)
	$(TEST)/ruff format $(SOURCES)

.PHONY: types
types: .venv-test/ready ## mypy, strict
	$(TEST)/mypy

.PHONY: layers
layers: .venv-test/ready ## import-linter: layers and circles
	$(TEST)/lint-imports --no-cache

.PHONY: bench
bench: $(if $(NO_GPU),,.venv-bench/$(READY)) ## benchmarks as a table and JSON; ARGS='...' choose; DEVICE=gpu CUDA=12
	$(if $(NO_GPU),$(SKIP),.venv-bench/bin/python -m bench $(if $(IS_GPU),--device gpu) $(ARGS))

.PHONY: fuzz
fuzz: .venv-test/ready ## random programs against NumPy; ARGS='--count 20000 --seed 1 --jobs 2' choose
	$(TEST)/python tests/support/fuzz.py $(ARGS)

.PHONY: ulps
ulps: .venv-test/ready ## errors of elementary functions against mpmath; ARGS='--points 100000 --name exp' choose
	$(TEST)/python tests/support/elementary_oracle.py $(ARGS)

.PHONY: docs
docs: .venv-docs/ready ## the pictures of the documentation
	.venv-docs/bin/python docs/images/make_pattern.py

.PHONY: lock
lock: ## the newest versions that fit pyproject.toml, into requirements/*.lock
	rm -rf .venv-lock
	"$(PYTHON)" -m venv .venv-lock
	.venv-lock/$(PIP) install --quiet --upgrade 'pip>=25.1'
	.venv-lock/bin/python requirements/lock.py

.PHONY: clean
clean: ## remove environments, builds, caches and results
	rm -rf .venv-* build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	rm -rf bench/results docs/examples/output
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# Two stamps, so that a change of pyproject.toml does not install everything anew.
.venv-%/installed: requirements/%.lock
	@test -n "$(PYTHON)" || { echo "No Python >= 3.11 with venv and ensurepip found; give one: make PYTHON=..." >&2; exit 1; }
	rm -rf $(@D)
	"$(PYTHON)" -m venv $(@D)
	$(@D)/$(PIP) install --quiet --requirement $<
	touch $@

.venv-%/ready: .venv-%/installed pyproject.toml
	$(@D)/$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	touch $@

# CuPy is no part of the locked requirements: which one is needed, the driver says.
.venv-%/cuda12: .venv-%/ready
	$(@D)/$(PIP) install --quiet 'cupy-cuda12x[ctk]>=14'
	touch $@
.venv-%/cuda13: .venv-%/ready
	$(@D)/$(PIP) install --quiet 'cupy-cuda13x[ctk]>=14'
	touch $@

# asdex on the same GPU; where it cannot be had, the benchmarks say so.
.venv-bench/cuda12 .venv-bench/cuda13: .venv-bench/cuda%: .venv-bench/ready
	$(@D)/$(PIP) install --quiet 'cupy-cuda$*x[ctk]>=14'
	-$(@D)/$(PIP) install --quiet 'jax[cuda$*]' 'asdex==0.5.1'
	touch $@

.PRECIOUS: .venv-%/installed .venv-%/ready
