# Every target sets itself up: the first run makes .venv and installs what is needed.

PYTHON ?= python3
# The version with the smallest CPU build; any torch from 2.4 works: make test TORCH='torch==2.6.0'
TORCH ?= torch==2.13.0
VENV ?= .venv
RUN = $(VENV)/bin/python

.PHONY: demo test lint bench clean

demo: $(VENV)/installed
	$(RUN) -m actalker_core demo --out demo
	@echo "Open demo/demo.mp4"

test: lint
	$(RUN) -m pytest

lint: $(VENV)/installed
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

bench: $(VENV)/installed
	$(RUN) tests/benchmarks/bench_core.py

clean:
	rm -rf $(VENV) demo .mypy_cache .pytest_cache .ruff_cache

# torch comes first and alone, so that nothing else chooses a larger build of it.
$(VENV)/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet "$(TORCH)" || $(RUN) -m pip install --quiet "torch>=2.4"
	$(RUN) -m pip install --quiet --editable ".[dev]" $$($(RUN) tests/constraints.py)
	@touch $@
