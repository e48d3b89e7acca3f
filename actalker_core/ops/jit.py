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

_is_there = importlib.util.find_spec("triton") is not None
_failed: set[str] = set()
Found = TypeVar("Found")


def is_usable(name: str) -> bool:
    """Whether Triton is there and what goes by this name has not failed in it yet."""
    return _is_there and name not in _failed


def run_or_fall_back(name: str, kernel: Callable[[], Found], other: Callable[[], Found]) -> Found:
    """What a kernel of Triton finds, or another way where that cannot run."""
    if is_usable(name):
        try:
            return kernel()
        except Exception as error:
            if "out of memory" in str(error) or isinstance(error, torch.cuda.OutOfMemoryError):
                raise
            _give_way(name, error)
    return other()


def _give_way(name: str, error: Exception) -> None:
    _failed.add(name)
    reason = next(iter(str(error).splitlines()), "")
    kind = type(error).__name__
    log.warning("Triton cannot run here: %s (%s: %s); a slower way is taken", name, kind, reason)
