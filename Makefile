# Two commands are enough: `make drill` and `make test`. Each sets itself up into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SERVERS := build/servers
BIGQUERY := build/bigquery
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: setup drill test slow servers browser check lab samples causes pictures lock clean

setup: $(READY)

# The environment is exactly the lock: every file by its hash. uv is only quicker; where it cannot, pip does the same.
# All is compiled once, here: where Python may not write bytecode, each command would compile it anew.
$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit((3, 11) > v[:2] or v[:2] > (3, 13))' || \
	  { echo "Python 3.11 to 3.13 is needed: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip sync --quiet --system-certs --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock || \
	  $(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@$(BIN)/python -m compileall -q lib
	@touch $(READY)

# Staging in a box: the incident replayed on loopback, one run while it is broken and one after its fix.
drill: setup
	@$(BIN)/incident drill

# A file's tests stay together, since they may share what is costly to set up.
test: setup
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile

# What takes minutes, or needs servers of its own; what is not installed is skipped by name.
slow: setup $(SERVERS)/.ready $(BIGQUERY)/.ready
	@$(BIN)/python -m pytest -m slow

# Real servers for the slow tests, apart from the project's environment; nginx, haproxy, node, Apache and Caddy are
# Debian's.
$(SERVERS)/.ready: tests/servers/requirements.txt tests/servers/package.json | setup
	@$(BIN)/python -m venv $(SERVERS)/python
	@$(BIN)/uv pip sync --quiet --system-certs --python $(SERVERS)/python/bin/python tests/servers/requirements.txt || \
	  $(SERVERS)/python/bin/python -m pip install --quiet --requirement tests/servers/requirements.txt
	@mkdir -p $(SERVERS)/node && cp tests/servers/package.json $(SERVERS)/node/
	-@cd $(SERVERS)/node && npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

# BigQuery's emulator, with the DuckDB extensions that it would download otherwise; where it is not whole, its tests are
# skipped.
$(BIGQUERY)/.ready: tests/servers/bigquery.txt | setup
	@$(BIN)/python -m venv $(BIGQUERY)/python
	@$(BIN)/uv pip sync --quiet --system-certs --python $(BIGQUERY)/python/bin/python tests/servers/bigquery.txt || \
	  $(BIGQUERY)/python/bin/python -m pip install --quiet --requirement tests/servers/bigquery.txt
	-@mkdir -p $(BIGQUERY)/home && HOME=$(CURDIR)/$(BIGQUERY)/home $(BIGQUERY)/python/bin/python -c \
	  "from duckdb_extensions import import_extension as add; add('spatial'); add('avro')" && touch $(BIGQUERY)/.whole
	@touch $@

# docs/servers.md as it is observed now: what the probe says of each real server.
servers: setup $(SERVERS)/.ready
	-@$(BIN)/python -m pytest -m slow tests/servers
	@cp $(SERVERS)/servers.md docs/servers.md

# The report in a real browser: Chromium, as Debian's package installs it.
browser: setup
	@$(BIN)/python -m pytest -m browser

check: setup
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check lib tests
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/test_architecture.py tests/test_project.py

# JupyterLab on the notebooks, with the packaged sample already in them.
lab: setup
	@$(BIN)/jupyter lab notebooks

# The packaged samples, recorded from the drill.
samples: setup
	@rm -rf build/samples && $(BIN)/incident drill --outputs build/samples
	@set -- build/samples/drill-staging/*/evidence && rm -rf lib/incident/samples && \
	  mkdir -p lib/incident/samples/staging lib/incident/samples/staging-fixed && \
	  cp -R $$1 lib/incident/samples/staging/evidence && cp -R $$2 lib/incident/samples/staging-fixed/evidence

# A page for each cause, from the docstring of its rule.
causes: setup
	@$(BIN)/python docs/causes/make.py

# The README's pictures, from the packaged sample.
pictures: setup
	@$(BIN)/python docs/pictures/make.py

# One lock for all Pythons that are supported, by markers, with hashes and without addresses.
lock: setup
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --group dev \
	  --custom-compile-command "make lock" --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) build dist lib/*.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
