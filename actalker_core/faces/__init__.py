"""Faces in images and clips: finding, choosing, following and measuring them."""

from .box import Box
from .face import Face, FaceFinder, SearchDepth, choose_face, find_face
from .finder import open_finder, open_landmarker
from .landmarker_file import DEFAULT_PATH, download_landmarker, require_landmarker
from .track import Track, track_face

__all__ = [
    "DEFAULT_PATH",
    "Box",
    "Face",
    "FaceFinder",
    "SearchDepth",
    "Track",
    "choose_face",
    "download_landmarker",
    "find_face",
    "open_finder",
    "open_landmarker",
    "require_landmarker",
    "track_face",
]
