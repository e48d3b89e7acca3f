# Every target sets itself up: the first run makes .venv and installs what is needed.

PYTHON ?= python3
# The version with the smallest CPU build; any torch from 2.4 works: make test TORCH='torch==2.6.0'
TORCH ?= torch==2.13.0
VENV ?= .venv
RUN = $(VENV)/bin/python
# Each ComfyUI has an environment of its own. COMFYUI_PATH says where they are, several with a colon
# between them, and COMFY_TORCH which torch, torchvision and torchaudio they get.
IN_COMFY = $(PYTHON) tests/in_comfy.py
# Finds the faces; where it cannot be fetched, tests that need it are skipped.
LANDMARKER = models/actalker/face_landmarker.task
# What checks and packs the pack for ComfyUI's registry, apart: it brings sixty packages.
CLI_VENV ?= .venv-comfy-cli

.PHONY: demo test test-core test-comfy test-requirements test-kill lint bench bench-gpu bench-acceleration bench-preflight first-image help-pictures clean

# Your own photograph and speech: make demo PORTRAIT=me.jpg AUDIO=me.wav
demo: $(VENV)/installed $(LANDMARKER)
	$(RUN) -m actalker_core demo --out demo $(if $(PORTRAIT),--portrait "$(PORTRAIT)") \
		$(if $(AUDIO),--audio "$(AUDIO)")
	@echo "Open demo/photograph.mp4$(if $(PORTRAIT)$(AUDIO),, and demo/demo.mp4)"

test: lint test-core test-comfy

# Two processes of one thread are faster than one of two; the tests of a file stay together.
test-core: $(VENV)/installed $(LANDMARKER)
	OMP_NUM_THREADS=1 $(RUN) -m pytest --numprocesses 2 --dist loadfile

# In every ComfyUI that is there; what fails in one does not keep the others from running.
test-comfy: $(CLI_VENV)/installed
	OMP_NUM_THREADS=1 $(IN_COMFY) --dynamic-vram-too \
		pytest --numprocesses 2 --dist loadfile tests/nodes tests/workflows tests/web

# What requirements.txt does to environments that have an OpenCV; needs the network, takes minutes.
test-requirements:
	$(PYTHON) tests/environments.py

# Writers of files are killed, with the oldest safetensors that is allowed and the newest.
test-kill: $(VENV)/installed
	OMP_NUM_THREADS=1 $(RUN) tests/kill_writes.py --kills 20 \
		--safetensors 0.4.5 --safetensors newest

lint: $(VENV)/installed
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(RUN) tests/check_types.py

bench: $(VENV)/installed
	$(RUN) -m pip install --quiet --editable ".[bench]"
	for part in scan layer unet clip memory photograph animate; do $(RUN) tests/benchmarks $$part || exit 1; done

# Both write a table into docs/performance.md.
bench-gpu: $(VENV)/installed
	$(RUN) tests/benchmarks gpu

bench-acceleration: $(VENV)/installed
	$(RUN) tests/benchmarks acceleration

# The demo, drawn side by side for the first page.
first-image: demo
	$(RUN) tests/draw_first_image.py demo --out docs/images/demo.webp

# The pictures of the help pages.
help-pictures: $(VENV)/installed $(LANDMARKER)
	PYTHONPATH=tests $(RUN) tests/draw_help_pictures.py

bench-preflight:
	$(IN_COMFY) python tests/benchmarks preflight

clean:
	rm -rf $(VENV) .venv-comfy* demo .mypy_cache .pytest_cache .ruff_cache

# torch comes first and alone, so that nothing else chooses a larger build of it.
$(VENV)/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
		{ echo "Python 3.10 or newer is needed; name one: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet "$(TORCH)" || $(RUN) -m pip install --quiet "torch>=2.4"
	$(RUN) -m pip install --quiet --editable ".[dev]" $$($(RUN) tests/constraints.py)
	@touch $@

$(LANDMARKER): | $(VENV)/installed
	-$(RUN) -m actalker_core download

$(CLI_VENV)/installed: Makefile
	$(PYTHON) -m venv $(CLI_VENV)
	$(CLI_VENV)/bin/pip install --quiet "comfy-cli>=1.23,<1.24"
	@touch $@
