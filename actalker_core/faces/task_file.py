"""The three networks and the face mesh in MediaPipe's `face_landmarker.task`, a zip file.

There is one release of it. OpenCV's reader is no judge of files from elsewhere (it runs what it
gets, takes the memory that shapes claim, and ends the process over some), so it sees the bytes of
that release only. What else is in the zip does not matter.
"""

import hashlib
import os
import struct
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import CheckpointError

MAX_BYTES = 8_000_000
"""The release has 3,758,596."""
UNREADABLE = (
    *(OSError, EOFError, ValueError, OverflowError, RuntimeError),
    *(zipfile.BadZipFile, zlib.error, struct.error),
)
"""What reading a damaged zip may raise."""
REMEDY = "Fetch it again: python -m actalker_core download."


@dataclass(frozen=True)
class Member:
    """A part of the file, as it must be."""

    name: str
    size: int
    sha256: str


DETECTOR = Member(
    "face_detector.tflite",
    229_746,
    "b4578f35940bf5a1a655214a1cce5cab13eba73c1297cd78e1a04c2380b0152f",
)
MESH = Member(
    "face_landmarks_detector.tflite",
    2_553_590,
    "c7d54204ce0448474c7f3fa9af494787c0965cbdd6f20fc72867e43046bd43d5",
)
BLENDSHAPES = Member(
    "face_blendshapes.tflite",
    955_312,
    "4f36dded049db18d76048567439b2a7f58f1daabc00d78bfe8f3ad396a2d2082",
)
MEMBERS = (DETECTOR, MESH, BLENDSHAPES)
GEOMETRY = Member(
    "geometry_pipeline_metadata_landmarks.binarypb",
    19_376,
    "bdbcda96dfcb7da883da124aaa2c55dee49770d934f0fcc71747f8c21bdc75b4",
)


def read_networks(path: Path) -> tuple[bytes, bytes, bytes]:
    """Detector, landmarks and blendshapes as TFLite files.

    Raises:
        CheckpointError: the file is missing, is something else, or holds other networks.
    """
    detector, mesh, blendshapes = _read_members(path, MEMBERS)
    return detector, mesh, blendshapes


def read_geometry(path: Path) -> bytes:
    """The canonical face of MediaPipe as a protobuf message; `geometry.mesh` knows its fields.

    Raises:
        CheckpointError: as `read_networks`.
    """
    (geometry,) = _read_members(path, (GEOMETRY,))
    return geometry


def _read_members(path: Path, members: Sequence[Member]) -> list[bytes]:
    """Parts of the file, each checked."""
    try:
        if not os.path.isfile(path):
            raise _error(path, "no file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _error(path, f"{size:,} bytes")
        with zipfile.ZipFile(path) as file:
            return [_read_member(file, member, path) for member in members]
    except UNREADABLE as error:
        raise _error(path, f"something that cannot be read ({type(error).__name__})") from error


def _read_member(file: zipfile.ZipFile, member: Member, path: Path) -> bytes:
    """One part; its claims are checked before its content is read."""
    try:
        info = file.getinfo(member.name)
    except KeyError as error:
        raise _error(path, f"no {member.name}") from error
    if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _error(path, f"{member.name} encrypted or packed in another way")
    if info.file_size != member.size:
        raise _error(path, f"{member.name} of {info.file_size:,} instead of {member.size:,} bytes")
    with file.open(info) as stream:
        content = stream.read(member.size)
    digest = hashlib.sha256(content).hexdigest()
    if digest != member.sha256:
        raise _error(path, f"another {member.name} (SHA-256 {digest[:12]}…)")
    return content


def _error(path: Path, got: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: expected MediaPipe's face_landmarker.task with its networks and its mesh, "
        f"got {got}. {REMEDY}"
    )
