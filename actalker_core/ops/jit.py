"""Kernels that are compiled when they are first used: whether that works here.

What can go wrong with one, such as a missing compiler, lies in the machine: after its first failure
something slower takes over for good.
"""

import importlib.util
import logging
from collections.abc import Callable
from typing import TypeVar

import torch

log = logging.getLogger(__name__)

_has_triton = importlib.util.find_spec("triton") is not None
_failures: set[str] = set()
Result = TypeVar("Result")


def is_usable(name: str) -> bool:
    """Whether Triton is installed and the kernel of this name has not failed yet."""
    return _has_triton and name not in _failures


def run_or_fall_back(
    name: str, kernel: Callable[[], Result], fallback: Callable[[], Result]
) -> Result:
    """The result of a kernel of Triton, or of something slower where that cannot run."""
    if is_usable(name):
        try:
            return kernel()
        except Exception as error:
            # A full GPU says nothing about Triton: the next call may fit.
            if "out of memory" in str(error) or isinstance(error, torch.cuda.OutOfMemoryError):
                raise
            _give_up(name, error)
    return fallback()


def _give_up(name: str, error: Exception) -> None:
    _failures.add(name)
    reason = next(iter(str(error).splitlines()), "")
    kind = type(error).__name__
    log.warning("Triton cannot run here: %s (%s: %s); a slower way is taken", name, kind, reason)
