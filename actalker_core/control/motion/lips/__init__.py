"""Lips from speech: a small network that hears what a mouth does, every 10 ms."""

from .track import LipReader, LipTrack, read_lips, to_frames

__all__ = ["LipReader", "LipTrack", "read_lips", "to_frames"]
