"""An IMAGE as a photograph that can be moved."""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...actalker_core.faces import find_face
from ...actalker_core.geometry.photograph import Photograph
from ...actalker_core.geometry.portrait import fit_image, open_photograph
from ..common import convert, files
from .portrait import check_landmark_face


def open_portrait(
    image: Tensor, face: str, face_index: int
) -> tuple[Photograph, NDArray[np.float32]]:
    """The first of a batch (b, h, w, c) and the landmarks (478, 3) of the face that is meant.

    Raises:
        CheckpointError: MediaPipe's landmarker is missing and cannot be fetched.
        FaceError: no face is found, or one that cannot be moved. InputError: an unknown choice.
    """
    choice = check_landmark_face(face, face_index)
    landmarker = files.open_landmarker()
    pixels = fit_image(convert.first_image(image))
    portrait_face = find_face(landmarker, pixels, choice, "portrait")
    photograph = open_photograph(pixels, portrait_face, landmarker, files.open_face_mesh())
    assert portrait_face.landmarks is not None  # else it were refused
    return photograph, portrait_face.landmarks
