"""Widgets that leave a number to the model, whose own values have one home: its configuration."""

from typing import Protocol, TypeVar

from ...actalker_core.control.regions import FACE_ENLARGED
from ...actalker_core.errors import InputError
from ...actalker_core.models.actalker.config import ModelConfig

OWN = 0
"""What a widget holds that leaves its number to the model."""
OWN_SHIFT = -1
"""The same where 0 is a value."""

Number = TypeVar("Number", int, float)


class Configured(Protocol):
    """What knows its model: the encoders of Load Model."""

    config: ModelConfig


def typed(value: Number, own: int = OWN) -> Number | None:
    """A number that was typed; None, as the core has it, where it is left to the model."""
    return None if value == own else value


def require_config(encoders: Configured | None, node: str, widget: str) -> ModelConfig:
    """The configuration that a widget leaves its number to.

    Raises:
        InputError: no encoders are connected.
    """
    if encoders is None:
        raise InputError(
            f"{node}: {widget} is {OWN}, which stands for the model's own, but no model is known "
            "here. Connect encoders of Load Model (ACTalker), or type a number."
        )
    return encoders.config


def face_enlarged(encoders: Configured | None) -> float:
    """How many times its box a face is: for the model, or where none is known."""
    return FACE_ENLARGED if encoders is None else encoders.config.sampling.face_enlarged
