"""Signals, curves and numbers that cannot be used are refused on the node."""

import re
from typing import Any

import pytest
import torch
from helpers.host import Comfy, image, speech
from helpers.node_refusals import read_refusal

# Signals and curves ------------------------------------------------------------------------------


@pytest.mark.parametrize("node", ["Conditioning", "SignalMonitor"])
def test_no_signal_at_all_is_refused(comfy: Comfy, usable: Any, node: str) -> None:
    names = ("audio_signal", "expression_signal", "pose_signal")
    message = read_refusal(comfy, node, **(usable[node] | dict.fromkeys(names)))
    assert "drives the portrait" in message


def test_gates_that_are_both_shut_are_refused(comfy: Comfy, conditioning_inputs: Any) -> None:
    shut = comfy.call("Curve", curve_text="0")[0]
    gates = comfy.call("Gates", audio_curve=shut, expression_curve=shut)[0]
    message = read_refusal(comfy, "Conditioning", **(conditioning_inputs | {"gates": gates}))
    assert "gates are 0" in message
    assert "Open" in message


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("0:1, 2:5", 8),
        ("x", 1),
        ("1 * ", None),
        ("0:1, 1", 6),
        ("0:1 wobble", 5),
        ("envelope attack=fast", 17),
        ("invert", None),
        ("", None),
        ("-1", 1),
        ("0:1, 0:0", 6),
        ("nan", 1),
    ],
)
def test_a_malformed_curve_is_refused_with_the_place(
    comfy: Comfy, text: str, character: int | None
) -> None:
    message = read_refusal(comfy, "Curve", curve_text=text, audio=speech(0.5))
    assert re.search(r"at character \d+", message)
    if character is not None:
        assert f"at character {character}," in message


@pytest.mark.parametrize("numbers", [float("nan"), [0.5, 7.0], [], [float("inf")]])
def test_numbers_that_are_no_strengths_are_refused(comfy: Comfy, numbers: Any) -> None:
    read_refusal(comfy, "Curve", curve_text="1", numbers=numbers)


SIGNAL_INPUTS = [
    ("Conditioning", "audio_signal", "expression"),
    ("Conditioning", "expression_signal", "pose"),
    ("Conditioning", "pose_signal", "audio"),
    ("SignalMonitor", "audio_signal", "pose"),
    ("SaveSignals", "pose_signal", "expression"),
    ("BankOfSignal", "expression_signal", "audio"),
    ("EditSignal", "pose_signal", "audio"),
    ("MixSignals", "first_audio_signal", "expression"),
    ("MixSignals", "second_pose_signal", "audio"),
]


@pytest.mark.parametrize(("node", "name", "kind"), SIGNAL_INPUTS)
def test_a_signal_of_another_kind_is_refused(
    comfy: Comfy, usable: Any, things: Any, node: str, name: str, kind: str
) -> None:
    message = read_refusal(comfy, node, **(usable.get(node, {}) | {name: things[kind]}))
    assert name in message
    assert type(things[kind]).__name__ in message


def test_what_has_no_second_of_its_kind_does_not_mix(comfy: Comfy, things: Any) -> None:
    once = {"first_audio_signal": things["audio"], "second_pose_signal": things["pose"]}
    message = read_refusal(comfy, "MixSignals", **once)
    assert "first audio" in message
    assert "second pose" in message


@pytest.mark.parametrize(
    ("node", "names"),
    [
        ("EditSignal", ["expression_signal"]),
        ("MixSignals", ["first_expression_signal", "second_expression_signal"]),
        ("BankOfSignal", ["expression_signal"]),
    ],
)
def test_an_empty_output_of_load_signals_is_refused(
    comfy: Comfy, things: Any, node: str, names: list[str]
) -> None:
    for name in names:
        inputs = dict.fromkeys(names, things["expression"]) | {name: None}
        read_refusal(comfy, node, **inputs)


def test_a_signal_of_another_model_is_refused(
    comfy: Comfy, conditioning_inputs: Any, things: Any
) -> None:
    signals = comfy.core("control.signals")
    foreign = signals.ExpressionSignal(12.5, "another model", torch.zeros(8, 7))
    inputs = conditioning_inputs | {"expression_signal": foreign}
    assert "Encode" in read_refusal(comfy, "Conditioning", **inputs)


@pytest.mark.parametrize(
    ("edit", "value", "second"),
    [
        ("resample", 0.0, 0.0),
        ("resample", -5.0, 0.0),
        ("resample", 1e9, 0.0),
        ("resample", float("nan"), 0.0),
        ("trim", 0.4, 0.1),
        ("trim", 0.0, 0.0),
        ("trim", 99.0, 100.0),
        ("trim", -1.0, 0.2),
        ("hold", 0.0, 0.0),
        ("loop", -1.0, 0.0),
        ("ping-pong", 1e9, 0.0),
        ("smooth", -1.0, 0.0),
        ("scale", 1.0, 99.0),
        ("offset", 1e12, 0.0),
    ],
)
def test_nonsense_edits_are_refused(
    comfy: Comfy, things: Any, edit: str, value: float, second: float
) -> None:
    values = {"value": value, "second_value": second}
    assert "expected" in read_refusal(
        comfy, "EditSignal", expression_signal=things["expression"], edit=edit, **values
    )


@pytest.mark.parametrize("text", ["", "joyful:", "0s joyful; 0s: sad", "-1s: joyful", "0s: blorp"])
def test_words_that_cannot_be_read_are_refused(comfy: Comfy, things: Any, text: str) -> None:
    read_refusal(comfy, "TextExpression", bank=things["bank"], text=text)


def test_moments_beyond_the_clip_are_refused(comfy: Comfy, things: Any) -> None:
    moments = {
        "expression_signal": things["expression"],
        "moments": "0s: neutral; 99s: joyful",
    }
    assert "99" in read_refusal(comfy, "BankOfSignal", **moments)


def test_captions_of_another_number_are_refused(comfy: Comfy, usable: Any) -> None:
    inputs = usable["ExpressionBank"] | {"images": image(frames=3), "captions": "joyful\nsad"}
    message = read_refusal(comfy, "ExpressionBank", **inputs)
    assert "3" in message
    assert "2" in message


# Numbers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "overlap"), [(-1, 0), (4, 4), (4, 9), (4, -1)])
def test_windows_that_do_not_advance_are_refused(
    comfy: Comfy, things: Any, length: int, overlap: int
) -> None:
    cut = {"model": things["model"], "window_frames": length, "overlap_frames": overlap}
    assert "expected" in read_refusal(comfy, "Windows", **cut)


@pytest.mark.parametrize("side", [-64, 63, 100])
def test_a_side_that_is_no_multiple_is_refused(comfy: Comfy, usable: Any, side: int) -> None:
    message = read_refusal(
        comfy, "PreparePortrait", **(usable["PreparePortrait"] | {"short_side_px": side})
    )
    assert "64" in message
    assert str(side) in message


@pytest.mark.parametrize("shape", [(4, 16, 8, 8), (4, 8, 8)])
def test_a_latent_that_is_none_of_svd_is_refused(
    comfy: Comfy, things: Any, shape: tuple[int, ...]
) -> None:
    read_refusal(comfy, "Decode", vae=things["vae"], latent={"samples": torch.zeros(shape)})
