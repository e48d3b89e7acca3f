"""The device that a network runs on."""

import re

import torch

from ..errors import InputError, quote


def choose_device(name: str) -> torch.device:
    """The device of a name as torch has it; `auto` is a GPU where there is one.

    Raises:
        InputError: no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    match = re.fullmatch(r"(cpu|cuda|mps|xpu)(?::([0-9]{1,2}))?", name)
    if match is None:
        raise InputError(
            f"--device: expected auto, cpu, cuda or cuda:1, got {quote(name)}. Use --device auto."
        )
    backends = {"cuda": torch.cuda, "mps": torch.backends.mps, "xpu": torch.xpu}
    counts = {"cuda": torch.cuda.device_count, "xpu": torch.xpu.device_count}
    is_available = match[1] == "cpu" or backends[match[1]].is_available()
    if not is_available or int(match[2] or 0) >= counts.get(match[1], lambda: 1)():
        raise InputError(f"--device {name}: torch finds no such device. Use --device cpu.")
    return torch.device(name)
