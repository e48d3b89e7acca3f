"""Curves over time, and the gates that they open and shut."""

from typing import Any

from comfy_api.latest import io

from ...actalker_core.control import curves
from ...actalker_core.errors import InputError, quote
from ..common import checks, convert, sockets
from ..common.peaks import describe_sound

GRAMMAR = (
    "A strength (0.5), keys (0:1, 2.5s:0 hold, 40f:1 ease; seconds, or frames with f), one number "
    "per frame (0 0 1 1), or envelope (envelope attack=0.1 release=0.3 threshold=0.05) of the "
    "connected audio. invert may stand before, * multiplies. In Mix Signals, frames are values of "
    "the signal."
)


class Curve(checks.Node):
    """Text, audio or numbers -> a curve."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Curve",
            "control",
            "A strength over time, for a gate or for mixing signals.",
            [
                checks.with_check(
                    io.String.Input("curve_text", default="1", tooltip=GRAMMAR),
                    curves.check_curve,
                    check_all=lambda values: _check_sound(
                        values.get("curve_text") or "", "audio" in values
                    ),
                ),
                io.Audio.Input("audio", optional=True, tooltip="What envelope follows."),
                io.Float.Input(
                    "numbers",
                    optional=True,
                    force_input=True,
                    tooltip="One number per frame from another node, multiplied with the text.",
                ),
            ],
            [sockets.Curve.Output("curve", tooltip="For Gates or Mix Signals.")],
            aliases=["keyframes", "automation", "envelope follower", "fade"],
        )

    @classmethod
    def execute(
        cls,
        curve_text: str,
        audio: dict[str, Any] | None = None,
        numbers: float | list[float] | None = None,
    ) -> io.NodeOutput:
        """Refuses here what cannot be read, with the place in the text."""
        sound = None if audio is None else convert.from_audio(audio, "Curve")
        curves.check_curve(curve_text)
        _check_sound(curve_text, sound is not None)
        curve = curves.Curve(curve_text, sound, _strengths(numbers))
        return io.NodeOutput(curve, ui=None if sound is None else describe_sound(sound))


def _check_sound(text: str, has_sound: bool) -> None:
    if "envelope" in text and not has_sound:
        raise InputError("Curve: envelope follows a sound: connect audio.")


def _strengths(numbers: float | list[float] | None) -> tuple[float, ...]:
    if numbers is None:
        return (1.0,)
    several = numbers if isinstance(numbers, list | tuple) else [numbers]
    if not all(isinstance(number, int | float) for number in several):
        raise InputError(f"Curve: expected numbers, got {quote(several)}. Connect others.")
    return tuple(map(float, several))


class Gates(checks.Node):
    """One curve for each signal -> gates."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Gates",
            "control",
            "When each signal acts: 1 is fully, 0 is not at all. What lies between was never "
            "trained and is experimental.",
            [
                sockets.curve_input("audio_curve", "Of the audio; open without one."),
                sockets.curve_input(
                    "expression_curve", "Of expression and head pose; open without one."
                ),
            ],
            [sockets.Gates.Output("gates", tooltip="For Conditioning.")],
            aliases=["mute signal", "strength over time", "timeline", "automation"],
        )

    @classmethod
    def execute(
        cls, audio_curve: object | None = None, expression_curve: object | None = None
    ) -> io.NodeOutput:
        """A pair."""
        audio = convert.from_curve(audio_curve, "Gates, audio_curve")
        expression = convert.from_curve(expression_curve, "Gates, expression_curve")
        return io.NodeOutput((audio or OPEN, expression or OPEN))


OPEN = curves.Curve("1")
