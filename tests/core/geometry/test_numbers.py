"""Numbers of a frame: rest, and those that are none."""

import numpy as np
import pytest

from actalker_core.errors import InputError
from actalker_core.geometry.numbers import SHAPES, FrameNumbers


def test_rest_changes_nothing() -> None:
    rest = FrameNumbers.rest()
    assert rest.scale.tolist() == [1]
    assert rest.detail is None
    for name in ("blendshapes", "rotation_degrees", "translation", "gaze"):
        assert not getattr(rest, name).any()


@pytest.mark.parametrize("name", list(SHAPES))
@pytest.mark.parametrize("fault", ["length", "nan", "infinite", "text"])
def test_numbers_that_are_none_are_named(name: str, fault: str) -> None:
    good = {key: np.ones(shape) for key, shape in SHAPES.items()}
    FrameNumbers(**good)
    wrong = good[name].copy()
    if fault == "length":
        wrong = wrong[:-1]
    elif fault == "text":
        wrong = wrong.astype(str)
    else:
        wrong.flat[0] = np.nan if fault == "nan" else np.inf
    with pytest.raises(InputError, match=f"{name}: expected"):
        FrameNumbers(**good | {name: wrong})


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_a_face_without_size_is_refused(scale: float) -> None:
    rest = FrameNumbers.rest()
    with pytest.raises(InputError, match="above 0"):
        FrameNumbers(
            rest.blendshapes, rest.rotation_degrees, rest.translation, np.array([scale]), rest.gaze
        )
