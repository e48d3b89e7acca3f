"""Motion that tests are made of."""

import torch

from actalker_core.control.motion.signal import GROUPS, WIDTHS, MotionSignal
from actalker_core.geometry.mesh import VERTEX_COUNT
from helpers.signals import noise


def motion(
    count: int = 40, rate_hz: float = 25.0, seed: int = 0, *, with_detail: bool = False
) -> MotionSignal:
    """Every number moves."""
    tracks = {
        name: noise(count, width, seed=seed + i)
        for i, (name, width) in enumerate(WIDTHS.items())
        if name != "detail"
    }
    tracks["blendshapes"] = tracks["blendshapes"].sigmoid()
    tracks["blendshapes"][:, 0] = 0
    tracks["rotation_degrees"] = 20 * tracks["rotation_degrees"]
    tracks["head_scale"] = (0.1 * tracks["head_scale"]).exp()
    if with_detail:
        tracks["detail"] = 0.1 * noise(count, WIDTHS["detail"], seed=seed + 9)
        tracks["detail_weights"] = detail_weights()
    return MotionSignal(rate_hz, f"motion {seed}", **tracks)


def detail_weights() -> torch.Tensor:
    """(6, 468): every vertex is shared by all groups."""
    return torch.softmax(noise(len(GROUPS), VERTEX_COUNT, seed=8), dim=0)
