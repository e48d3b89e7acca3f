"""The selective scan of one sequence or of several at once, on the fastest backend there is."""

from .dispatch import scan_inputs
from .scan_input import ScanInput
from .selective import BACKENDS, CHOICES, choose_backend, selective_scan

__all__ = [
    "BACKENDS",
    "CHOICES",
    "ScanInput",
    "choose_backend",
    "scan_inputs",
    "selective_scan",
]
