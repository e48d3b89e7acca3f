"""Lips shut whatever wide them, and lips that are shut stay as they are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actalker_core.faces.blendshapes import NAMES
from actalker_core.geometry.deform import Deformation
from actalker_core.geometry.lips import close_lips
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.geometry.mouth import lip_gap
from actalker_core.geometry.numbers import FrameNumbers
from actalker_core.geometry.rig import Rig
from actalker_core.geometry.rings import LIPS


@pytest.fixture(scope="module")
def rig(mesh: FaceMesh) -> Rig:
    return Rig(mesh)


def numbers_of(**values: float) -> FrameNumbers:
    rest = FrameNumbers.rest()
    for name, value in values.items():
        rest.blendshapes[NAMES.index(name)] = value
    return rest


@settings(deadline=None, max_examples=30)
@given(jaw=st.floats(0, 1), share=st.floats(0, 1))
def test_the_gap_is_less_by_the_share(mesh: FaceMesh, rig: Rig, jaw: float, share: float) -> None:
    vertices = mesh.vertices + rig.displace(numbers_of(jawOpen=jaw).blendshapes)
    result = close_lips(vertices, share)
    gap = max(lip_gap(vertices), 0)
    assert lip_gap(result) == pytest.approx((1 - share) * gap, abs=0.05)
    skin = np.setdiff1d(np.arange(len(vertices)), LIPS)
    assert np.array_equal(result[skin], vertices[skin])


@pytest.mark.parametrize("jaw", [0.0, 0.2, 0.6, 1.0])
def test_mouth_close_shuts_the_lips_whatever_the_jaw_does(
    mesh: FaceMesh, rig: Rig, jaw: float
) -> None:
    deformation = Deformation(mesh.vertices, mesh, rig, None)
    wide = deformation.move(numbers_of(jawOpen=jaw))
    shut = deformation.move(numbers_of(jawOpen=jaw, mouthClose=1.0))
    assert abs(lip_gap(shut)) < 0.02
    assert lip_gap(wide) >= lip_gap(shut)


def test_shut_lips_stay_as_they_are(mesh: FaceMesh, rig: Rig) -> None:
    deformation = Deformation(mesh.vertices, mesh, rig, None)
    rest = deformation.move(FrameNumbers.rest())
    shut = deformation.move(numbers_of(mouthClose=1.0))
    assert np.abs(shut - rest).max() <= max(lip_gap(rest), 0) + 0.01
