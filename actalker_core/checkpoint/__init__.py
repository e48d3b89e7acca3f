"""The only room that knows file layouts: the released folder <-> one .safetensors."""

from .released import convert
from .single import Summary, load, save, summarize

__all__ = ["Summary", "convert", "load", "save", "summarize"]
