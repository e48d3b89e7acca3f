"""Triton's interpreter, which computes kernels without a GPU, and marks of what a test needs.

It has to be chosen before Triton is imported, and stays for the whole process: kernels are tested
in processes of their own.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

needs_triton = pytest.mark.skipif(
    not importlib.util.find_spec("triton"), reason="triton has no wheel for this platform"
)


def on_a_gpu(test):
    """A test that needs one."""
    absent = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
    return pytest.mark.gpu(absent(test))


def check_interpreted(name: str) -> None:
    """Run the tests in a file of this folder under the interpreter."""
    file = str(Path(__file__).with_name(name))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-rs", file],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
    )
    if run.returncode == pytest.ExitCode.NO_TESTS_COLLECTED:
        pytest.skip(re.search(r"no working interpreter.*", run.stdout)[0])
    assert run.returncode == pytest.ExitCode.OK, run.stdout


def skip_without_interpreter() -> None:
    """For the top of a file that is run under it."""
    import triton

    if not _counts():
        versions = f"triton {triton.__version__} with numpy {np.__version__}"
        pytest.skip(f"no working interpreter in {versions}", allow_module_level=True)


def _counts() -> bool:
    """Interpreters up to Triton 3.6 fail at such a loop with NumPy 2.4."""
    from helpers.interpreted_loop import count

    steps, number = torch.tensor([3]), torch.tensor([0])
    try:
        count[(1,)](steps, number)
    except Exception:
        return False
    return number.item() == 3
