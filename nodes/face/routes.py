"""What the page asks about faces and regions of a picture before a graph runs."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from ...actalker_core import limits
from ...actalker_core.control import regions
from ...actalker_core.errors import FaceError, InputError, check_choice
from ...actalker_core.faces import Face, choose_face
from ...actalker_core.faces.face import ORDERS, advise
from ...actalker_core.faces.portrait import plan_crop
from ...actalker_core.limits import Limits
from ..common import files
from ..common.routes import get_text, load_picture
from .portrait import (
    BOX_ADVICE,
    FACE_CHOICES,
    FACE_INDEX,
    WHOLE_IMAGE,
    describe_faces,
    face_choice,
    manual_face,
)
from .regions import SIGNALS, describe_regions, find_regions

Values = Mapping[str, Any]

PREVIEW_SIDE_PX = 512
"""Shorter side of a portrait whose size is left to the model; its regions hardly depend on it."""
KEPT_PICTURES = 16
NUMBERS = (
    FACE_INDEX,
    Limits("grow_px", limits.GROW_PX.minimum, limits.GROW_PX.maximum, integer=True),
    Limits("short_side_px", 0, limits.SHORT_SIDE_PX.maximum, integer=True),
    Limits("expand", 0.0, limits.EXPAND.maximum),
    Limits("aspect", 0.0, limits.ASPECT.maximum),
)
"""What the widgets of both nodes hold; 0 leaves it out."""


def answer_faces(values: Values) -> Values:
    """The faces of a picture, see `describe_faces`; or `fault`, why they cannot be shown.

    Raises:
        InputError, MediaError: no picture of the input folder.
    """
    return _explain(lambda: describe_faces(*_find_faces(values, ORDERS[0], "")), values)


def answer_regions(values: Values) -> Values:
    """The regions of a picture's portrait, see `describe_regions`; or `fault`, what to change.

    Args:
        values: picture, a name as Load Image has it; the widgets of both nodes by name.

    Raises:
        InputError: values that no widget can have. MediaError: no such picture.
    """
    face = get_text(values, "face", ORDERS[0])
    check_choice("face", face, FACE_CHOICES)
    style = get_text(values, "style", regions.DEFAULT_STYLE)
    check_choice("style", style, regions.STYLES)
    signals = get_text(values, "signals", SIGNALS[0])
    check_choice("signals", signals, SIGNALS)
    box = get_text(values, "face_box")
    texts = get_text(values, "audio_region"), get_text(values, "expression_region")
    numbers = {bounds.name: bounds.check(values.get(bounds.name, 0)) for bounds in NUMBERS}

    def find() -> Values:
        faces, size = _find_faces(values, face, box)
        is_manual = face == WHOLE_IMAGE or bool(box.strip())
        choice = face_choice(face, int(numbers["face_index"]))
        with advise(BOX_ADVICE):
            chosen_face = faces[0] if is_manual else choose_face(faces, choice, size, "image")
        crop = plan_crop(
            chosen_face,
            size,
            int(numbers["short_side_px"]) or PREVIEW_SIDE_PX,
            expand=numbers["expand"] or None,
            aspect=numbers["aspect"] or None,
        )
        portrait_face = crop.to_portrait(chosen_face)
        grow_px = int(numbers["grow_px"])
        return describe_regions(
            find_regions(portrait_face, crop, style, signals, grow_px, texts), crop
        )

    return _explain(find, values)


def _explain(find: Callable[[], Values], values: Values) -> Values:
    """What is found in a picture, or why nothing is: a person can change that, see `common.routes`.

    Raises:
        InputError, MediaError: no picture of the input folder.
    """
    files.picture_path(values.get("picture"))
    try:
        return find()
    except (InputError, FaceError) as error:
        return {"fault": str(error)}


def _find_faces(values: Values, face: str, box: str) -> tuple[tuple[Face, ...], tuple[int, int]]:
    """All faces of a picture, or the one given by hand; height and width of the picture."""
    name = values.get("picture")
    stamp = files.read_stamp(files.picture_path(name))
    return _find_faces_at(str(name), stamp, face == WHOLE_IMAGE, box.strip())


@lru_cache(maxsize=KEPT_PICTURES)
def _find_faces_at(
    name: str, stamp: str, is_whole: bool, box: str
) -> tuple[tuple[Face, ...], tuple[int, int]]:
    image = load_picture(name)
    face = WHOLE_IMAGE if is_whole else ORDERS[0]
    manual = manual_face(image, face, None, box, files.open_local_face_finder)
    faces = files.open_local_face_finder().find(image) if manual is None else [manual]
    return tuple(faces), (int(image.shape[1]), int(image.shape[2]))
