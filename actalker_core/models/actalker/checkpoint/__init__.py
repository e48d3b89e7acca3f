"""The only package that knows file layouts: the released folder <-> one .safetensors."""

from .built_in import BUILT_IN, BUILT_IN_PATH, NOTICE, load_built_in
from .release import convert
from .single_file import Summary, find_checkpoint, load, save, summarize

__all__ = [
    "BUILT_IN",
    "BUILT_IN_PATH",
    "NOTICE",
    "Summary",
    "convert",
    "find_checkpoint",
    "load",
    "load_built_in",
    "save",
    "summarize",
]
