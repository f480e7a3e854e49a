# Run `make` to list all targets.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
PACKAGES := stixcore archive jobs dashboards

PORT ?= 5006
# DATA: folder with level-1 files for `make demo`; by default a campaign is simulated.
ARCHIVE ?= $(if $(DATA),./stix-archive,./demo-archive)
# ARGS: extra arguments, e.g. make test ARGS="-k clean".
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-system test-thorough wheel-test walk lint format bench bench-science attack soak docs screenshots lock clean FORCE

help: ## list all targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/project ## simulate flares, image them and serve the pages on port 5006 (DATA=folder: use your own files)
	@$(BIN)/stix-jobs demo --archive "$(ARCHIVE)" --port $(PORT) $(if $(DATA),--data "$(DATA)")

# Bytecode is kept even where the environment says not to write any: without it each worker compiles all tests, 25 s of
# its processor. Workers share the cores, so linear algebra has one thread in each.
TESTING := PYTHONDONTWRITEBYTECODE= OPENBLAS_NUM_THREADS=1
PYTEST := $(TESTING) $(BIN)/python -m pytest -n 3 --dist worksteal --durations 10

test: $(VENV)/project ## run the tests that need no running server or worker (ARGS="…" is passed to pytest)
	@$(PYTEST) -m "not system" $(ARGS)

test-system: $(VENV)/project ## run the tests of servers, pages in a browser, workers and faults
	@$(PYTEST) -m system $(ARGS)

test-thorough: $(VENV)/project ## run all tests with all their repetitions, as before a release
	@$(PYTEST) --thorough $(ARGS)

wheel-test: $(VENV)/project ## build sdist and wheel, and run the demo from the installed wheel (no network)
	@.ci/wheel-test

walk: $(VENV)/project ## test every control of every page by mouse and keyboard (90 minutes)
	@$(BIN)/python -m pytest --verbose -o faulthandler_timeout=3600 tests/dashboards/pages/walk/walk.py $(ARGS)

lint: $(VENV)/project ## check style, formatting, types and import contracts
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/project ## format the sources
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

bench: $(VENV)/project ## print accuracy and speed tables
	@$(BIN)/python -m benchmarks $(ARGS)

bench-science: $(VENV)/project ## compare all methods on 1000 simulated flares, for docs/accuracy.md (15 minutes)
	@$(BIN)/python -m benchmarks science

attack: $(VENV)/project ## attack local servers and print a table of results (ARGS=--short: at most 90 s)
	@$(BIN)/python -m benchmarks.attack $(ARGS)

soak: $(VENV)/project ## test with faults, bad input and load for SOAK_MINUTES=45, and write docs/reliability.md (ARGS: sections)
	@$(BIN)/python -m benchmarks.load.soak $(ARGS)

docs: $(VENV)/project ## build the HTML documentation in docs/_build
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -c docs . docs/_build
	@echo "docs/_build/index.html"

screenshots: $(VENV)/project ## take screenshots for docs/pictures (ARGS="--all --out DIR": all pages, light and dark, wide and narrow)
	@$(BIN)/python -m docs.screenshots $(ARGS)

lock: $(VENV)/project ## update requirements.txt from pyproject.toml (ARGS=--upgrade: newer versions)
	@$(BIN)/uv pip compile pyproject.toml --all-extras --group dev --quiet --no-config \
	    --universal --python-version 3.12 --only-binary :all: --no-binary hapiclient --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	    --output-file requirements.txt $(ARGS)

clean: ## remove the environment, caches and built pages, but no archives
	rm -rf $(VENV) docs/_build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*
	find $(PACKAGES) tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The environment is rebuilt when requirements.txt changes, so that it contains exactly the pinned packages.
$(VENV)/pinned: requirements.txt
	@python=$$(.ci/find-python) && echo "installing into $(VENV) with $$python (once, a minute or two)…" && \
	    "$$python" -m venv --clear $(VENV)
	@$(PIP) install --require-hashes --only-binary :all: --no-binary hapiclient -r requirements.txt
	@touch $@

$(VENV)/project: $(VENV)/pinned pyproject.toml
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@echo "$(CURDIR)" > $@

# Rebuild an environment that was moved, or whose interpreter no longer exists.
ifneq ($(wildcard $(VENV)/project),)
ifneq ($(shell $(BIN)/python -c 'print(open("$(VENV)/project").read().strip())' 2>/dev/null),$(CURDIR))
$(VENV)/pinned: FORCE
endif
endif
