"""Groups share the blendshapes between them."""

from actalker_core.faces.blendshapes import NAMES
from actalker_core.geometry.groups import GROUP_BLENDSHAPES


def test_every_blendshape_but_neutral_is_in_one_group() -> None:
    names = [name for group in GROUP_BLENDSHAPES.values() for name in group]
    assert sorted(names) == sorted(NAMES[1:])
