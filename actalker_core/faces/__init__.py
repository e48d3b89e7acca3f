"""Faces in pictures and clips: finding, choosing, following and measuring them."""

from .box import Box
from .face import Depth, Face, FaceFinder, choose, find_chosen
from .finder import DEFAULT_PATH, download_landmarker, open_finder
from .track import Track, track

__all__ = [
    "DEFAULT_PATH",
    "Box",
    "Depth",
    "Face",
    "FaceFinder",
    "Track",
    "choose",
    "download_landmarker",
    "find_chosen",
    "open_finder",
    "track",
]
