"""The only room that knows file layouts: the released folder <-> one .safetensors."""

from actalker_core.checkpoint.released import convert
from actalker_core.checkpoint.single import Summary, load, save, summarize

__all__ = ["Summary", "convert", "load", "save", "summarize"]
