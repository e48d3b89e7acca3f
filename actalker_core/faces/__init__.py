"""Faces in pictures and clips: finding, choosing, following and measuring them."""

from actalker_core.faces.box import Box
from actalker_core.faces.face import Face, FaceFinder, choose
from actalker_core.faces.finder import DEFAULT_PATH, download_landmarker, open_finder
from actalker_core.faces.track import Track, track

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
