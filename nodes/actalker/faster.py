"""Less time for a little less quality."""

import math

from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io

from ...actalker_core.diffusion.guidance import GuidanceInterval
from ...actalker_core.limits import REUSE_STEPS, SIGMA
from ..common import checks, sockets
from .bridge.model import check_model, with_interval

ALWAYS = SIGMA.maximum
"""Above every noise level."""


def _check_interval(values: checks.Values) -> None:
    """The interval has to begin above its end."""
    first, last = values.get("guide_from_sigma"), values.get("guide_to_sigma")
    if first is not None and last is not None:
        GuidanceInterval(first, last)


class Faster(checks.Node):
    """MODEL -> MODEL whose guidance is computed more rarely."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Faster",
            "sampling",
            "Leaves out guidance at some noise levels or steps, at a price in quality. As it comes "
            "it changes nothing.",
            [
                io.Model.Input("model", tooltip="Of Load Model or Windows."),
                io.Float.Input(
                    "guide_from_sigma",
                    default=ALWAYS,
                    min=0.0,
                    max=ALWAYS,
                    step=0.1,
                    tooltip="No guidance above this noise level: the first steps run one pass. "
                    "A seventh to a half of the model's highest is typical; 1000 is off.",
                ),
                checks.with_check(
                    io.Float.Input(
                        "guide_to_sigma",
                        default=0.0,
                        min=0.0,
                        max=ALWAYS,
                        step=0.01,
                        tooltip="No guidance below this noise level: the last steps run one pass. "
                        "0.3 is typical, 0 is off.",
                    ),
                    check_all=_check_interval,
                ),
                io.Int.Input(
                    "reuse_every_steps",
                    default=1,
                    **REUSE_STEPS.widget,
                    tooltip="Guidance is computed at one step of so many; between, each frame "
                    "gets what it added before. 2 is typical, 1 is off.",
                ),
            ],
            [io.Model.Output("faster_model", tooltip="For Preflight, Guider or Sampler.")],
            aliases=["speed up", "acceleration", "guidance interval", "guidance cache"],
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        guide_from_sigma: float,
        guide_to_sigma: float,
        reuse_every_steps: int,
    ) -> io.NodeOutput:
        check_model(model)
        first = math.inf if guide_from_sigma >= ALWAYS else guide_from_sigma
        interval = GuidanceInterval(first, guide_to_sigma, reuse_every_steps)
        return io.NodeOutput(with_interval(model, interval))
