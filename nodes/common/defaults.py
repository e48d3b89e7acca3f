"""Widgets that leave a number to the model, whose own values have one home: its configuration."""

from typing import Protocol, TypeVar

from ...actalker_core.control.regions import FACE_SCALE
from ...actalker_core.errors import InputError
from ...actalker_core.models.actalker.config import ModelConfig

MODEL_DEFAULT = 0
"""What a widget holds that leaves its number to the model."""
SHIFT_DEFAULT = -1
"""The same where 0 is a value."""

Number = TypeVar("Number", int, float)


class ModelOwner(Protocol):
    """What knows its model: the encoders of Load Model."""

    config: ModelConfig


def to_option(value: Number, default: int = MODEL_DEFAULT) -> Number | None:
    """A number that was typed; None, as the core has it, where it is left to the model."""
    return None if value == default else value


def require_config(encoders: ModelOwner | None, node: str, widget: str) -> ModelConfig:
    """The configuration that a widget leaves its number to.

    Raises:
        InputError: no encoders are connected.
    """
    if encoders is None:
        raise InputError(
            f"{node}: {widget} is {MODEL_DEFAULT}, which stands for the model's own, but no model "
            "is known here. Connect encoders of Load Model (ACTalker), or type a number."
        )
    return encoders.config


def face_enlarged(encoders: ModelOwner | None) -> float:
    """How many times its box a face is: for the model, or where none is known."""
    return FACE_SCALE if encoders is None else encoders.config.sampling.face_enlarged
