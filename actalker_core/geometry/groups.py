"""Groups of the numbers of motion: what one source can own while others own the rest."""

from ..faces.blendshapes import NAMES

PREFIXES = {
    "mouth": ("jaw", "mouth"),
    "eyes": ("eyeBlink", "eyeSquint", "eyeWide"),
    "brows": ("brow",),
    "cheeks": ("cheek", "nose"),
    "head": (),
    "gaze": ("eyeLook",),
}
"""How the names of a group's blendshapes begin; the head has none, it turns and moves."""
GROUP_BLENDSHAPES: dict[str, tuple[str, ...]] = {
    group: tuple(name for name in NAMES if name.startswith(prefixes))
    for group, prefixes in PREFIXES.items()
}
"""Group -> its blendshapes; each but `_neutral` is in one group."""
