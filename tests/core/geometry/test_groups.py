"""Groups share out the numbers and the vertices."""

from itertools import chain

import numpy as np

from actalker_core.faces.blendshapes import NAMES
from actalker_core.geometry import rings
from actalker_core.geometry.groups import GROUP_BLENDSHAPES, group_weights
from actalker_core.geometry.mesh import FaceMesh


def test_each_blendshape_is_of_one_group() -> None:
    assert sorted(chain(*GROUP_BLENDSHAPES.values())) == sorted(NAMES[1:])


def test_weights_are_a_partition_of_unity(mesh: FaceMesh) -> None:
    weights = group_weights(mesh)
    assert list(weights) == list(GROUP_BLENDSHAPES)
    values = np.stack(list(weights.values()))
    assert np.allclose(values.sum(0), 1)
    assert values.min() >= -1e-9
    assert not weights["gaze"].any()


def test_what_is_a_groups_own_is_its_alone(mesh: FaceMesh) -> None:
    weights = group_weights(mesh)
    assert (weights["mouth"][list(rings.LIPS)] == 1).all()
    assert (weights["eyes"][list(rings.LEFT_EYE)] == 1).all()
    assert (weights["brows"][list(rings.RIGHT_BROW)] == 1).all()
    assert (weights["head"][list(rings.UPPER_OVAL)] == 1).all()


def test_both_sides_weigh_the_same(mesh: FaceMesh) -> None:
    for values in group_weights(mesh).values():
        assert np.allclose(values[mesh.mirror], values, atol=1e-6)
