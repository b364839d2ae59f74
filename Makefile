# One command each; `make help` lists them. Every target sets up what it needs.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests wait for servers half of their time: three workers on two cores. The servers of a worker are its own.
WORKERS ?= 3

.PHONY: help demo run test soak check generate bench clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "ClusterSight needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "creating $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { echo "no venv module; on Debian or Ubuntu: apt install python3-venv" >&2; exit 1; }

$(VENV)/.demo: $(VENV)/bin/python setup.cfg
	@echo "installing ClusterSight and the embedded ClickHouse (some 300 MB to download, 1 GB on disk, once; minutes)"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --progress-bar on --editable '.[demo]'
	@touch $@

$(VENV)/.dev: $(VENV)/bin/python setup.cfg
	@echo "installing ClusterSight with what its tests need"
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[demo,dev]'
	@touch $@ $(VENV)/.demo

demo: $(VENV)/.demo ## A live ClickHouse with faults, watched: http://127.0.0.1:3001
	@$(BIN)/clustersight demo

run: $(VENV)/.demo ## All three with your configuration: make run CONFIG=clustersight.yaml
	@$(BIN)/clustersight up --config $(or $(CONFIG),clustersight.yaml)

check: $(VENV)/.dev ## Lint, format, strict types, import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

test: check ## Everything, against real servers, which it installs by apt
	@bash tests/install-servers.sh
	@$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m 'not soak'

soak: $(VENV)/.dev ## The tests that take long
	@bash tests/install-servers.sh
	@$(BIN)/python -m pytest -m soak

generate: $(VENV)/.dev ## Write the files that are made from code: references, schema, dashboards, rules
	@$(BIN)/python -m clustersight.catalogue docs/METRICS.md
	@$(BIN)/python -m clustersight.rules.schema docs/rules.schema.json
	@$(BIN)/python -m clustersight.settings.reference docs/configuration.md
	@$(BIN)/clustersight rules export --format prometheus 2>/dev/null >config/prometheus/rules/alerts.yml
	@$(BIN)/clustersight rules export --format alertmanager >config/prometheus/alertmanager.yml
	@$(BIN)/clustersight dashboards build

bench: $(VENV)/.dev ## Speed and memory beside a peer in the same run
	@bash tests/install-servers.sh
	@$(BIN)/python -m benchmarks

clean: ## Remove the virtual environment and all caches
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
