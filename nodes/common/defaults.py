"""Widgets that leave a number to the model, whose own values have one home: its configuration."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from ...actalker_core.control.regions import FACE_SCALE
from ...actalker_core.errors import InputError
from ...actalker_core.limits import Limits

MODEL_DEFAULT = 0
"""What a widget holds that leaves its number to the model."""
SHIFT_DEFAULT = -1
"""The same where 0 is a value."""

Number = TypeVar("Number", int, float)


class SamplingValues(Protocol):
    """The numbers of a model that nodes of no family read."""

    @property
    def fps(self) -> float:
        """Frames per second of the video."""

    @property
    def short_side_px(self) -> int:
        """Shorter side of the portrait."""

    @property
    def face_enlarged(self) -> float:
        """How many times its box a face is."""


class Config(Protocol):
    """The configuration of a model of any family."""

    @property
    def sampling(self) -> SamplingValues:
        """How it was trained to be sampled."""


class ModelOwner(Protocol):
    """What knows its model: the encoders of a family's loader."""

    @property
    def config(self) -> Config:
        """Of that model."""

    def list_warnings(self, *, short_side_px: int | None = None) -> list[str]:
        """What the model will not do well, a sentence for each; None is its own size."""


Owner = TypeVar("Owner", bound=ModelOwner)


def to_option(
    value: Number,
    bounds: Limits,
    default: int = MODEL_DEFAULT,
    meaning: str = "the model's own",
) -> Number | None:
    """A number that was typed; None, as the core has it, where it is left to the model.

    Args:
        meaning: of the default, for the error, where no model decides.

    Raises:
        InputError: it is neither that nor within its limits.
    """
    return None if value == default else bounds.check(value, f"{default} for {meaning}")


def require_owner(encoders: Owner | None, node: str, widget: str) -> Owner:
    """The encoders of the model that a widget leaves its number to.

    Raises:
        InputError: none are connected.
    """
    if encoders is None:
        raise InputError(
            f"{node}: {widget} is {MODEL_DEFAULT}, which stands for the model's own, but no model "
            "is known here. Connect encoders of Load Model (ACTalker), or type a number."
        )
    return encoders


def check_owner(node: str, widget: str) -> Callable[[Mapping[str, Any]], None]:
    """The check that a widget does not leave its number to a model where no encoders are."""

    def check(values: Mapping[str, Any]) -> None:
        if values.get(widget) == MODEL_DEFAULT and "encoders" not in values:
            require_owner(None, node, widget)

    return check


def get_face_scale(encoders: ModelOwner | None) -> float:
    """How many times its box a face is: the model's own, or the toolkit's where none is known."""
    return FACE_SCALE if encoders is None else encoders.config.sampling.face_enlarged
