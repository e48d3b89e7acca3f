# Every target sets itself up: the first run makes .venv and installs what is needed.

PYTHON ?= python3
# The version with the smallest CPU build; any torch from 2.4 works: make test TORCH='torch==2.6.0'
TORCH ?= torch==2.13.0
VENV ?= .venv
RUN = $(VENV)/bin/python
# ComfyUI has an environment of its own, with a torch, torchvision and torchaudio that match.
COMFYUI_PATH ?= $(HOME)/comfy/ComfyUI
COMFY_VENV ?= .venv-comfy
COMFY_TORCH ?= torch==2.11.0 torchvision==0.26.0 torchaudio==2.11.0
# What checks and packs the pack for ComfyUI's registry, apart: it brings sixty packages.
CLI_VENV ?= .venv-comfy-cli

.PHONY: demo test test-core test-comfy test-requirements lint bench bench-gpu bench-shortcuts bench-preflight clean

demo: $(VENV)/installed
	$(RUN) -m actalker_core demo --out demo
	@echo "Open demo/demo.mp4"

test: lint test-core test-comfy

# Two processes of one thread are faster than one of two; the tests of a file stay together.
test-core: $(VENV)/installed
	OMP_NUM_THREADS=1 $(RUN) -m pytest --numprocesses 2 --dist loadfile

test-comfy: $(CLI_VENV)/installed
	@if [ -f "$(COMFYUI_PATH)/main.py" ]; then \
		$(MAKE) $(COMFY_VENV)/installed && ACTALKER_IN_COMFY=1 COMFYUI_PATH="$(COMFYUI_PATH)" \
			$(COMFY_VENV)/bin/pytest tests/nodes tests/workflows; \
	else \
		echo "Node tests skipped: lay a ComfyUI checkout at $(COMFYUI_PATH), or name COMFYUI_PATH."; \
	fi

# What requirements.txt does to environments that have an OpenCV; needs the network, takes minutes.
test-requirements:
	$(PYTHON) tests/environments.py

lint: $(VENV)/installed
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy

bench: $(VENV)/installed
	$(RUN) -m pip install --quiet --editable ".[bench]"
	for part in scan layer unet clip memory; do $(RUN) tests/benchmarks/bench_$$part.py || exit 1; done

# Both write a table into the README.
bench-gpu: $(VENV)/installed
	$(RUN) tests/benchmarks/bench_gpu.py

bench-shortcuts: $(VENV)/installed
	$(RUN) tests/benchmarks/bench_shortcuts.py

bench-preflight: $(COMFY_VENV)/installed
	COMFYUI_PATH="$(COMFYUI_PATH)" $(COMFY_VENV)/bin/python tests/benchmarks/bench_preflight.py

clean:
	rm -rf $(VENV) $(COMFY_VENV) demo .mypy_cache .pytest_cache .ruff_cache

# torch comes first and alone, so that nothing else chooses a larger build of it.
$(VENV)/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet "$(TORCH)" || $(RUN) -m pip install --quiet "torch>=2.4"
	$(RUN) -m pip install --quiet --editable ".[dev]" $$($(RUN) tests/constraints.py)
	@touch $@

# The repository itself is not installed here: ComfyUI loads it from its folder.
$(COMFY_VENV)/installed: requirements.txt
	$(PYTHON) -m venv $(COMFY_VENV)
	$(COMFY_VENV)/bin/pip install --quiet $(COMFY_TORCH)
	$(COMFY_VENV)/bin/pip install --quiet -r "$(COMFYUI_PATH)/requirements.txt" \
		-r requirements.txt "hypothesis>=6.100" "pytest>=8.3" psutil
	@touch $@

$(CLI_VENV)/installed: Makefile
	$(PYTHON) -m venv $(CLI_VENV)
	$(CLI_VENV)/bin/pip install --quiet "comfy-cli>=1.23,<1.24"
	@touch $@
