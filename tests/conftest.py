"""The suites that need a ComfyUI run in its own environment: `make test-comfy`."""

import os

import pytest
from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
"""How long an example takes is no property: machines are busy."""

os.environ["ACTALKER_OFFLINE"] = "1"
"""Tests fetch nothing; those of fetching bring their own sources."""
IN_COMFY = "ACTALKER_IN_COMFY" in os.environ
"""Set by the Makefile in the environment that has what ComfyUI needs."""

collect_ignore = [] if IN_COMFY else ["nodes", "workflows", "web"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not IN_COMFY:
        terminalreporter.write_line(
            "tests/nodes, tests/workflows and tests/web are not run here: lay a ComfyUI checkout "
            "at ~/comfy/ComfyUI (or name it in COMFYUI_PATH), then make test-comfy."
        )
