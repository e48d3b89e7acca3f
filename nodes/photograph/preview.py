"""The face of Face Editor as it is being edited: numbers in, a picture out, before a graph runs."""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from ...actalker_core.control.motion.hand import move_by_hand, parse_numbers
from ...actalker_core.errors import (
    CheckpointError,
    FaceError,
    InputError,
    check_choice,
    quote,
)
from ...actalker_core.faces import find_face
from ...actalker_core.geometry.portrait import fit_image
from ...actalker_core.models.photograph.plan import LIPS
from ...actalker_core.models.photograph.preview import Preview, open_preview
from ..common import files
from ..common.routes import Picture, Values, get_text, load_picture
from ..face.portrait import FACE_INDEX, check_landmark_face

MAX_PORTRAITS = 2
"""Photographs that stay open: what is edited, and what it is compared with."""

lock = Lock()
"""One photograph is opened at a time, so that two who ask for the same open it once."""


def preview_face(values: Values) -> Picture | Values:
    """The face of a picture of the input folder, moved; or `fault`, why it cannot be shown.

    Args:
        values: picture, a name as Load Image has it; face, face_index, lips, numbers (by name),
            more_numbers as of Face Editor.

    Raises:
        InputError: a value of another type, an unknown name, or a number outside its limits.
        MediaError: no such picture.
    """
    lips = get_text(values, "lips", LIPS[0])
    check_choice("lips", lips, LIPS)
    index = FACE_INDEX.check(values.get("face_index", 0))
    choice = check_landmark_face(get_text(values, "face", "largest"), index)
    numbers = _check_numbers(values.get("numbers", {}))
    more_numbers = get_text(values, "more_numbers")
    path = files.picture_path(values.get("picture"))
    try:
        numbers |= parse_numbers(more_numbers)
    except InputError as error:  # a text is wrong for as long as it is being written
        return {"fault": str(error)}
    try:
        with lock:
            preview = _open(path, files.read_stamp(path), str(values["picture"]), choice)
    except (FaceError, CheckpointError) as error:
        return {"fault": str(error)}
    frame = preview.draw(move_by_hand(numbers), lips)
    facts = {"face": frame.face, "eyes": frame.eyes, "is_beyond": frame.is_beyond}
    return Picture(frame.image, facts)


def _check_numbers(numbers: object) -> dict[str, float]:
    """Numbers by name.

    Raises:
        InputError: they are none, of an unknown name, or outside their limits.
    """
    if not isinstance(numbers, Mapping):
        raise InputError(f"numbers: expected values by name, got {quote(numbers)}. Send others.")
    move_by_hand(numbers)
    return dict(numbers)


@lru_cache(MAX_PORTRAITS)
def _open(path: Path, stamp: str, name: str, choice: str) -> Preview:
    """A picture that is opened once for all numbers; the stamp tells a file that was replaced.

    Raises:
        CheckpointError: there is no landmarker yet; nothing is fetched before a graph runs.
        FaceError: no face, or one that cannot be moved.
    """
    if not files.has_landmarker():
        raise CheckpointError(
            "The face is shown here once MediaPipe's landmarker is there. Press Run: it is fetched "
            "(3.8 MB), or the node says where to put it."
        )
    image: Any = fit_image(load_picture(name))
    landmarker = files.open_landmarker()
    face = find_face(landmarker, image, choice, "portrait")
    return open_preview(image, face, landmarker, files.open_face_mesh())
