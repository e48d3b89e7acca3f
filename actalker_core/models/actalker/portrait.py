"""Whether a model knows portraits such as the one that it is to animate."""

from collections.abc import Callable

from ...errors import InputError
from ...faces import Box, FaceFinder
from ...faces.landmarker import landmarks_box
from ...faces.portrait import Portrait
from ...faces.shading import measure_shading
from .config import VARIANTS, ModelConfig

MAX_SHADING = 0.4
"""Of drawn faces, see `measure_shading`: those of the pack have at most 0.37, in crops, sizes,
lights, noise and JPEG files of all kinds; photographs have at least 0.43 where their face was
found. `python tests/benchmarks shading` measures both."""


def check_portrait(
    config: ModelConfig,
    portrait: Portrait,
    way_around: str,
    open_finder: Callable[[], FaceFinder | None] = lambda: None,
) -> None:
    """Refuse a photograph where the built-in model would animate it, before the wait.

    It knows the faces that the pack draws and nothing else: of a photograph it makes noise.

    Args:
        way_around: what to do if it is wanted nevertheless, as a sentence.
        open_finder: opens what finds the face in a box that holds more, such as a whole image.

    Raises:
        InputError: says what can animate a photograph.
    """
    if config != VARIANTS["built-in"]:
        return
    shading = measure_shading(portrait.image, locate_skin(portrait, open_finder))
    if shading > MAX_SHADING:
        raise InputError(
            "Portrait: expected a face that this pack draws, as the built-in model knows no "
            f"others, got one shaded like a photograph (shading {shading:.2f}; drawn ones have "
            f"{MAX_SHADING} at most). Use Animate Photo (ACTalker), which needs no weights (on the "
            "command line --model photograph), or fetch the released weights "
            f"(docs/install-weights.md). {way_around}"
        )


def locate_skin(portrait: Portrait, open_finder: Callable[[], FaceFinder | None]) -> Box:
    """The box around a portrait's face alone, without what a box by hand or a whole image holds.

    A wall behind a face is flat in a photograph too, and would pass for a drawing.
    """
    face = portrait.face
    if face.landmarks is None:
        finder = open_finder()
        face = (finder and finder.find_near(portrait.image, face.box)) or face
    return face.box if face.landmarks is None else landmarks_box(face.landmarks)
