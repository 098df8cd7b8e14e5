# Everything a newcomer or a CI needs; only Python 3.11 or later and make are expected of the machine.

PYTHON ?= python3
BIN := .venv/bin
# As many test processes as processors, at most four, because each starts its own PostgreSQL and Kafka.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(min(4, os.cpu_count() or 1))')
DATA ?= .postil
FOLDER ?= docs

.DEFAULT_GOAL := help
.PHONY: help setup run demo test lint lint-code lint-sql lint-imports lint-rules lint-types lint-page format faults bench docs lock upgrade clean

help: ## Show what can be made
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(BIN)/postil ## Make .venv, with every package pinned by hash, and the `postil` command in it

$(BIN)/postil: requirements.txt requirements-bootstrap.txt pyproject.toml hatch_build.py \
               $(shell find consumers/postil_consumers/dashboard/web -type f -not -path '*/node_modules/*' 2>/dev/null)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "Postil needs Python 3.11 or later; this is $$($(PYTHON) --version). Say which: make setup PYTHON=/path/to/python3"; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv || \
	    { echo "This Python cannot make a virtual environment (on Debian: apt-get install python3-venv)."; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bootstrap.txt
	$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --reinstall-package postil -e .
	@touch $(BIN)/postil

run: setup ## Start the whole pipeline with its page, and a review of FOLDER (docs) that asks for your approval
	$(BIN)/postil up --data $(DATA) --demo $(FOLDER)

test: setup ## Run every test, against a real PostgreSQL and a real Kafka
	$(BIN)/pytest -n $(WORKERS) --dist loadgroup

faults: setup ## Run the tests that kill, cut and stop things
	$(BIN)/pytest tests/faults

lint: lint-code lint-sql lint-imports lint-rules lint-types lint-page ## Check style, types, the direction of imports, and the rules of CONTRIBUTING

lint-code: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

lint-sql: setup
	$(BIN)/sqlfluff lint --disable-progress-bar core/postil/postgres/sql

lint-imports: setup
	$(BIN)/lint-imports

lint-rules: setup
	$(BIN)/python tests/rules/check_words.py
	$(BIN)/python tests/rules/check_structure.py
	$(BIN)/python tests/rules/check_exceptions.py
	$(BIN)/python tests/rules/check_commits.py

lint-types: setup
	$(BIN)/mypy
	$(BIN)/pyright

lint-page: setup
	$(BIN)/python hatch_build.py lint

format: setup ## Bring the code into its form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python hatch_build.py format

bench: setup ## Measure this machine, each figure with its physical limit
	$(BIN)/postil bench write
	$(BIN)/postil bench relay
	$(BIN)/postil bench latency
	$(BIN)/python tests/benchmarks/warm_start.py

docs: setup ## Write the reference pages and the page's types from the code, and build the site in build/site
	$(BIN)/python docs/reference/generate.py
	$(BIN)/python docs/concepts/draw_walk.py
	$(BIN)/python docs/concepts/draw_relay_states.py
	$(BIN)/python -m postil_consumers.dashboard.openapi --typescript \
	    > consumers/postil_consumers/dashboard/web/src/api/schema.d.ts
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

# Versions and hashes, no addresses. A version that is pinned already stays, unless pyproject.toml excludes it.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
          --no-emit-index-url --no-annotate --no-header

lock: ## Pin the packages that pyproject.toml added; the others keep their versions
	$(COMPILE) $(UPGRADE) --all-extras --group dev pyproject.toml -o requirements.txt
	echo uv | $(COMPILE) $(UPGRADE) - -o requirements-bootstrap.txt

upgrade: UPGRADE = --upgrade
upgrade: lock ## Pin the newest version of every package

clean: ## Remove what was built (not the data of `make run`)
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf consumers/postil_consumers/dashboard/static consumers/postil_consumers/dashboard/web/node_modules
