"""Faces in pictures and clips: finding, choosing, following and measuring them."""

from .box import Box
from .face import Face, FaceFinder, choose
from .finder import DEFAULT_PATH, download_landmarker, open_finder
from .track import Track, track

__all__ = [
    "DEFAULT_PATH",
    "Box",
    "Face",
    "FaceFinder",
    "Track",
    "choose",
    "download_landmarker",
    "open_finder",
    "track",
]
