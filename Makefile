# Everything here sets itself up: a virtual environment with the locked packages, made once and made anew when the lock
# changes. It needs Python 3.11 or newer with its venv module, and make; nothing outside of $(VENV) is written.
#
#   make test    the quick tests, then the slow ones      make lint    formatting, lint, types, import contracts
#   make demo    the whole loop on a sample shop          make bench   the benchmarks that have a budget
#   make lock    the lock files anew (needs uv)           make clean   removes the environment
#   make oracles builds real tools that tests compare with (needs Go)
#   make test-tools       the platforms' own tools read what was rewritten (needs Go; builds them once)
#   make test-tools-light those of them that are built in a minute
#
# make VENV=/elsewhere PYTHON=python3.13 ... chooses the place and the interpreter; PYTEST=... adds options to pytest.

VENV ?= .venv
PYTHON ?= python3
PYTEST ?=
READY := $(VENV)/.secretscan-ready
RUN := $(VENV)/bin/python

.PHONY: test demo lint bench oracles test-tools test-tools-light lock clean
.DELETE_ON_ERROR:

test: $(READY)
	$(RUN) -m pytest -q -rs -n 2 -m "not slow" $(PYTEST)
	PATH="$(dir $(COMPOSE)):$$PATH" $(RUN) -m pytest -q -rs -n 2 -m slow $(PYTEST)

demo: $(READY)
	$(RUN) -m secretscan demo

lint: $(READY)
	$(RUN) -m ruff format --check
	$(RUN) -m ruff check
	$(RUN) -m mypy
	$(VENV)/bin/lint-imports

bench: $(READY)
	$(RUN) benchmarks/startup.py
	$(RUN) benchmarks/review.py
	$(RUN) benchmarks/manifests.py

# Compose's own loader, which the slow tests ask for a second opinion when it is there. Needs Go; takes some minutes once.
COMPOSE := $(CURDIR)/$(VENV)/oracles/docker-compose
COMPOSE_MODULE := github.com/docker/compose/v5/cmd@v5.0.2

oracles: $(COMPOSE)

$(COMPOSE): | $(READY)
	GOBIN=$(CURDIR)/$(VENV)/oracles go install $(COMPOSE_MODULE)
	mv $(CURDIR)/$(VENV)/oracles/cmd $@

# The platforms' own tools, from the versions that tests/tools names. Go builds only what changed.
TOOLS := $(CURDIR)/$(VENV)/oracles
TOOL_TESTS = SECRETSCAN_TOOLS=$(TOOLS) SECRETSCAN_TOOLS_REQUIRED=1 $(RUN) -m pytest -q -rs tests/tools

test-tools-light: $(READY)
	tests/tools/build $(TOOLS) light
	$(TOOL_TESTS) -m "tools and not cluster" $(PYTEST)

test-tools: $(READY)
	tests/tools/build $(TOOLS) all
	$(TOOL_TESTS) $(PYTEST)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("secretscan needs Python 3.11 or newer; choose one with make PYTHON=..." if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

lock:
	uv lock --default-index https://pypi.org/simple
	uv export --quiet --frozen --all-groups --no-emit-project --no-header --format requirements-txt --output-file requirements.lock

clean:
	rm -rf $(VENV)
