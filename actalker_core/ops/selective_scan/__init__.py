"""The selective scan of one sequence or of whole branches, on the fastest backend there is."""

from .branches import ScanInput, scan_branches
from .selective import BACKENDS, CHOICES, choose_backend, selective_scan

__all__ = [
    "BACKENDS",
    "CHOICES",
    "ScanInput",
    "choose_backend",
    "scan_branches",
    "selective_scan",
]
