# One word per habit. `make` alone lists the words.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
PACKAGES := stixcore archive jobs dashboards

PORT ?= 5006
# DATA: a folder of your own level-1 files for `make demo`; without it the campaign is simulated.
ARCHIVE ?= $(if $(DATA),./stix-archive,./demo-archive)
# ARGS: more words for pytest, e.g. make test ARGS="-k clean".
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test wheel-test walk lint format bench bench-science attack soak docs screenshots lock clean FORCE

help: ## list these words
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/project ## simulated campaign, previews and pages on port 5006 (DATA=folder for your own files)
	@$(BIN)/stix-jobs demo --archive "$(ARCHIVE)" --port $(PORT) $(if $(DATA),--data "$(DATA)")

test: $(VENV)/project ## every test (ARGS="…" goes to pytest)
	@$(BIN)/python -m pytest -n 2 --dist worksteal --durations 10 $(ARGS)

wheel-test: $(VENV)/project ## build sdist and wheel, install the wheel elsewhere and run the demo with it (no network)
	@.ci/wheel-test

walk: $(VENV)/project ## every control of every page, by mouse and by keyboard, as guest, user, operator (an hour and a half)
	@$(BIN)/python -m pytest --verbose tests/dashboards/pages/walk/walk.py $(ARGS)

lint: $(VENV)/project ## ruff, formatting, types, layers
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/project ## rewrite the sources in the house style
	@$(BIN)/ruff check --fix-only
	@$(BIN)/ruff format

bench: $(VENV)/project ## accuracy and speed tables
	@$(BIN)/python -m benchmarks $(ARGS)

bench-science: $(VENV)/project ## every method on a thousand simulated flares (docs/accuracy.md, a quarter of an hour)
	@$(BIN)/python -m benchmarks science

attack: $(VENV)/project ## every known attack against servers on loopback, as a table (ARGS=--short: at most 90 s)
	@$(BIN)/python -m benchmarks.attack $(ARGS)

soak: $(VENV)/project ## faults, bad input and load for SOAK_MINUTES=45; writes docs/reliability.md (ARGS="faults sessions": only these)
	@$(BIN)/python -m benchmarks.load.soak $(ARGS)

docs: $(VENV)/project ## HTML in docs/_build
	@$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -c docs . docs/_build
	@echo "docs/_build/index.html"

screenshots: $(VENV)/project ## pictures of the pages in docs/pictures (ARGS="--all --out DIR": every page, light and dark, wide and narrow)
	@$(BIN)/python -m docs.screenshots $(ARGS)

lock: $(VENV)/project ## pin the dependencies anew in requirements.txt (ARGS=--upgrade for newer ones)
	@$(BIN)/uv pip compile pyproject.toml --group dev --quiet --no-config \
	    --universal --python-version 3.12 --only-binary :all: --generate-hashes \
	    --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" \
	    --output-file requirements.txt $(ARGS)

clean: ## remove the environment, caches and built pages; archives stay
	rm -rf $(VENV) docs/_build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*
	find $(PACKAGES) tests benchmarks docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# The environment: made anew when requirements.txt changes, so that it holds what is pinned and nothing else.
$(VENV)/pinned: requirements.txt
	@python=$$(.ci/find-python) && echo "installing into $(VENV) with $$python (once, a minute or two)…" && \
	    "$$python" -m venv --clear $(VENV)
	@$(PIP) install --require-hashes --only-binary :all: -r requirements.txt
	@touch $@

$(VENV)/project: $(VENV)/pinned pyproject.toml
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@echo "$(CURDIR)" > $@

# An environment whose interpreter has gone, or that was moved with its folder, does not run: make it anew.
ifneq ($(wildcard $(VENV)/project),)
ifneq ($(shell $(BIN)/python -c 'print(open("$(VENV)/project").read().strip())' 2>/dev/null),$(CURDIR))
$(VENV)/pinned: FORCE
endif
endif
