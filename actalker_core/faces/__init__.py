"""Faces in pictures and clips: finding, choosing, following and measuring them."""

from .box import Box
from .face import Depth, Face, FaceFinder, choose_face, find_face
from .finder import DEFAULT_PATH, download_landmarker, open_finder
from .track import Track, track_face

__all__ = [
    "DEFAULT_PATH",
    "Box",
    "Depth",
    "Face",
    "FaceFinder",
    "Track",
    "choose_face",
    "download_landmarker",
    "find_face",
    "open_finder",
    "track_face",
]
