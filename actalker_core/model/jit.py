"""Kernels that are compiled when they are first used: whether that works here.

What can go wrong with them, such as a missing compiler, lies in the machine: after the first
failure plain torch takes over for good.
"""

import importlib.util
import logging
from collections.abc import Callable
from typing import TypeVar

import torch

log = logging.getLogger(__name__)

_is_usable = importlib.util.find_spec("triton") is not None
Found = TypeVar("Found")


def is_usable() -> bool:
    """Whether Triton is there and has not failed yet."""
    return _is_usable


def either(kernel: Callable[[], Found], plain: Callable[[], Found]) -> Found:
    """What a kernel of Triton finds or, where none can run, plain torch."""
    if _is_usable:
        try:
            return kernel()
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:
            _give_way(error)
    return plain()


def _give_way(error: Exception) -> None:
    global _is_usable
    _is_usable = False
    reason = next(iter(str(error).splitlines()), "")
    log.warning(
        "Triton cannot run here (%s: %s); plain torch takes over", type(error).__name__, reason
    )
