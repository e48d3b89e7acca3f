"""Gates: curves of strengths from numbers, keys, sound and text."""

import itertools
import logging
import math
import re
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.control import curves
from actalker_core.control.curves import Key, interpolate_keys, loudness_envelope
from actalker_core.errors import InputError, quote
from actalker_core.media import Audio

MODEL_FPS = 12.5
RATES = [MODEL_FPS, 25.0, 30000 / 1001, 7.0, 60.0]
LAST_FRAME = 60

Keyed = dict[int, tuple[float, str]]
"""Strength and ease by frame."""

steadily = settings(max_examples=30, deadline=None)
STRENGTHS = st.floats(0, 1)
CURVES = st.lists(st.floats(0, 1, width=32), min_size=1, max_size=8)
KEYS = st.dictionaries(
    st.integers(0, LAST_FRAME),
    st.tuples(STRENGTHS, st.sampled_from(curves.EASES)),
    min_size=1,
    max_size=6,
)
FPS = st.sampled_from(RATES)

# Keys --------------------------------------------------------------------------------------------


def in_frames(frame: int, fps: float) -> str:
    return f"{frame}f"


def in_seconds(frame: int, fps: float) -> str:
    return repr(frame / fps)


def in_rounded_seconds(frame: int, fps: float) -> str:
    return f"{frame / fps:.7f}s"


Unit = Callable[[int, float], str]
UNITS = st.sampled_from([in_frames, in_seconds, in_rounded_seconds])


def written(keys: Keyed, fps: float, unit: Unit) -> str:
    return ", ".join(f"{unit(k, fps)}:{v!r} {ease}" for k, (v, ease) in keys.items())


def keyed(keys: Keyed, fps: float, unit: Unit) -> Tensor:
    return curves.parse_curve(written(keys, fps, unit), LAST_FRAME + 5, fps)


def neighbours(keys: Keyed) -> list[tuple[int, int]]:
    return list(itertools.pairwise(sorted(keys)))


@steadily
@given(KEYS, FPS, UNITS)
def test_a_gate_is_at_each_key_what_the_key_says(keys: Keyed, fps: float, unit: Unit) -> None:
    gate = keyed(keys, fps, unit)
    assert all(gate[frame] == torch.tensor(value) for frame, (value, _) in keys.items())


@steadily
@given(KEYS, FPS, UNITS)
def test_a_gate_is_held_before_its_first_and_after_its_last_key(
    keys: Keyed, fps: float, unit: Unit
) -> None:
    gate = keyed(keys, fps, unit)
    first, last = min(keys), max(keys)
    assert (gate[:first] == torch.tensor(keys[first][0])).all()
    assert (gate[last:] == torch.tensor(keys[last][0])).all()


@steadily
@given(KEYS, FPS, UNITS)
def test_a_gate_goes_from_key_to_key_without_turning(keys: Keyed, fps: float, unit: Unit) -> None:
    gate = keyed(keys, fps, unit).double()
    for a, b in neighbours(keys):
        direction = math.copysign(1, keys[b][0] - keys[a][0])
        assert (direction * gate[a : b + 1].diff() >= -1e-7).all()


@steadily
@given(KEYS, FPS, UNITS)
def test_hold_keeps_the_strength_until_the_next_keys_frame(
    keys: Keyed, fps: float, unit: Unit
) -> None:
    keys = {frame: (value, "hold") for frame, (value, _) in keys.items()}
    gate = keyed(keys, fps, unit)
    for a, b in neighbours(keys):
        assert (gate[a:b] == torch.tensor(keys[a][0])).all()
        assert gate[b] == torch.tensor(keys[b][0])


@steadily
@given(KEYS, FPS)
def test_linear_has_one_slope_between_two_keys(keys: Keyed, fps: float) -> None:
    keys = {frame: (value, "linear") for frame, (value, _) in keys.items()}
    gate = keyed(keys, fps, in_frames)
    for a, b in neighbours(keys):
        wanted = np.linspace(keys[a][0], keys[b][0], b - a + 1)
        assert gate[a : b + 1].numpy() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize(("first", "last"), [(0.0, 1.0), (1.0, 0.25)])
def test_ease_starts_and_ends_slowly_and_is_even(first: float, last: float) -> None:
    eased = curves.parse_curve(f"0:{first} ease, 20f:{last}", 21, MODEL_FPS)
    steps = eased.diff().abs()
    assert torch.allclose(steps, steps.flip(0), atol=1e-6)
    assert (steps[:10].diff() > 0).all()
    assert eased[10].item() == pytest.approx((first + last) / 2)
    assert steps[0] < abs(last - first) / 100


@steadily
@given(KEYS, FPS, st.randoms(use_true_random=False))
def test_keys_may_be_written_in_any_order(keys: Keyed, fps: float, random: Any) -> None:
    shuffled = list(keys.items())
    random.shuffle(shuffled)
    assert torch.equal(keyed(keys, fps, in_frames), keyed(dict(shuffled), fps, in_frames))


@pytest.mark.parametrize("separator", [",", ";", "\n", " , ", ";\n", ",\n  "])
def test_keys_may_be_separated_in_any_way(separator: str) -> None:
    keys = ["0:0", "0.4s : 1 hold", "10 f:.5 ease", "1.6:1"]
    want = curves.parse_curve(", ".join(keys), 30, MODEL_FPS)
    assert torch.equal(curves.parse_curve(separator.join(keys), 30, MODEL_FPS), want)


@steadily
@given(KEYS, FPS, st.integers(0, LAST_FRAME))
def test_a_shorter_clip_has_the_beginning_of_the_same_gate(
    keys: Keyed, fps: float, frames: int
) -> None:
    whole = keyed(keys, fps, in_frames)
    part = curves.parse_curve(written(keys, fps, in_frames), frames, fps)
    assert torch.equal(part, whole[:frames])


@pytest.mark.parametrize(
    "keys",
    [
        [],
        [Key(1, 0), Key(1, 1)],
        [Key(0, 0), Key(2, 1), Key(0, 0.5)],
        [Key(0, 0), Key(1, 1, "cubic")],
    ],
)
def test_keys_that_make_no_curve_are_refused(keys: list[Key]) -> None:
    with pytest.raises(InputError, match="Keyframes: expected"):
        interpolate_keys(keys, 5, MODEL_FPS)


# Numbers -----------------------------------------------------------------------------------------


@steadily
@given(STRENGTHS, st.integers(0, 40))
def test_one_strength_is_constant(value: float, frames: int) -> None:
    gate = curves.parse_curve(f" {value!r}\n", frames, MODEL_FPS)
    assert torch.equal(gate, torch.full((frames,), value))
    assert torch.equal(gate, curves.constant_curve(value, frames))


@steadily
@given(CURVES, st.integers(0, 20), st.sampled_from([" ", ",", ", ", ";", "\n"]))
def test_numbers_are_those_of_the_frames_and_the_last_one_holds(
    values: list[float], frames: int, separator: str
) -> None:
    gate = curves.parse_curve(separator.join(map(repr, values)), frames, MODEL_FPS)
    assert gate.tolist() == [values[min(i, len(values) - 1)] for i in range(frames)]
    assert torch.equal(gate, curves.curve_from_values(values, frames))


@pytest.mark.parametrize("values", [[], [math.nan], [0, math.inf], [0, 0, 0, -math.inf]])
def test_numbers_that_are_none_are_refused(values: list[float]) -> None:
    with pytest.raises(InputError, match="Curve: expected finite numbers"):
        curves.curve_from_values(values, 3)


# Envelope ----------------------------------------------------------------------------------------

LEVELS = st.lists(st.floats(0, 1), min_size=1, max_size=20).map(
    lambda levels: [round(level, 3) for level in levels]
)
AUDIBLE = LEVELS.filter(any)
TIMES = st.sampled_from([0.0, 0.01, 0.05, 0.2, 1.0, 10.0])


def steps(levels: list[float], rate_hz: int = 8000, channels: int = 1, fps: float = 25) -> Audio:
    """A sound that is as loud as `levels` says, frame by frame."""
    per_frame = round(rate_hz / fps)
    wave = np.repeat(np.array(levels, np.float32), per_frame)
    wave[1::2] *= -1
    return Audio(np.stack([wave] * channels), rate_hz)


def direct(audio: Audio, frames: int, fps: float = 25, threshold: float = 0.0) -> Tensor:
    return loudness_envelope(
        audio, frames, fps, attack_seconds=0, release_seconds=0, threshold=threshold
    )


@pytest.mark.parametrize("text", ["envelope", "envelope attack=0 release=0 threshold=0"])
def test_silence_shuts_the_gate(text: str) -> None:
    assert curves.parse_curve(text, 9, 25, steps([0.0] * 9)).tolist() == [0] * 9
    assert curves.parse_curve(f"invert {text}", 9, 25, steps([0.0] * 9)).tolist() == [1] * 9


@steadily
@given(AUDIBLE)
def test_the_envelope_is_the_loudness_as_a_share_of_the_loudest(levels: list[float]) -> None:
    wanted = np.array(levels) / max(levels)
    assert direct(steps(levels), len(levels)).numpy() == pytest.approx(wanted, abs=1e-4)


@steadily
@given(AUDIBLE, TIMES, st.floats(0, 0.99))
def test_without_attack_the_loudest_frame_is_1(
    levels: list[float], release: float, threshold: float
) -> None:
    curve = loudness_envelope(
        steps(levels),
        len(levels),
        25,
        attack_seconds=0,
        release_seconds=release,
        threshold=threshold,
    )
    assert curve[int(np.argmax(levels))].item() == pytest.approx(1, abs=1e-6)
    assert curve.max() <= 1


@steadily
@given(LEVELS, TIMES, TIMES, TIMES)
def test_a_longer_release_is_never_below_a_shorter_one(
    levels: list[float], attack: float, one: float, other: float
) -> None:
    audio, frames = steps(levels), len(levels) + 5
    short, long = (
        loudness_envelope(audio, frames, 25, attack_seconds=attack, release_seconds=release)
        for release in sorted([one, other])
    )
    assert (long - short >= -1e-6).all()


@steadily
@given(LEVELS, TIMES, TIMES, TIMES)
def test_a_longer_attack_is_never_above_a_shorter_one(
    levels: list[float], release: float, one: float, other: float
) -> None:
    audio, frames = steps(levels), len(levels) + 5
    short, long = (
        loudness_envelope(audio, frames, 25, attack_seconds=attack, release_seconds=release)
        for attack in sorted([one, other])
    )
    assert (long - short <= 1e-6).all()


def test_attack_and_release_take_their_time_to_63_percent() -> None:
    audio = steps([1.0] * 50 + [0.0] * 50)
    curve = loudness_envelope(audio, 100, 25, attack_seconds=0.4, release_seconds=0.8)
    assert (curve[:50].diff() > 0).all()
    assert (curve[50:].diff() < 0).all()
    assert curve[9].item() == pytest.approx(1 - math.exp(-1), abs=1e-4)
    assert (curve[69] / curve[49]).item() == pytest.approx(math.exp(-1), abs=1e-4)


@steadily
@given(AUDIBLE, st.floats(0.01, 0.99))
def test_the_threshold_shuts_what_is_quieter_and_nothing_else(
    levels: list[float], threshold: float
) -> None:
    curve = direct(steps(levels), len(levels), threshold=threshold)
    shares = torch.tensor(levels) / max(levels)
    assert (curve[shares < threshold - 1e-4] == 0).all()
    assert (curve[shares > threshold + 1e-4] > 0).all()


def test_the_gate_is_shut_after_the_end_of_the_sound() -> None:
    assert direct(steps([1.0] * 4), 9).tolist() == pytest.approx([1] * 4 + [0] * 5)


@pytest.mark.parametrize("fps", [12.5, 25.0])
@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(8000, 6), (16000, 2), (44100, 1), (48000, 6), (192000, 2)]
)
def test_the_envelope_is_alike_at_any_rate_and_number_of_channels(
    rate_hz: int, channels: int, fps: float
) -> None:
    levels = [0.0, 0.2, 0.9, 0.6, 0.0, 0.03, 0.5, 0.1]
    want = loudness_envelope(steps(levels, 8000, 1, fps), 10, fps)
    got = loudness_envelope(steps(levels, rate_hz, channels, fps), 10, fps)
    assert torch.allclose(got, want, atol=1e-4)


@pytest.mark.parametrize("fps", [23.976, 7.3, 60.0])
def test_frames_that_hold_no_whole_number_of_samples(fps: float) -> None:
    t = np.arange(11025) / 11025
    loud = (t >= 0.5).astype(np.float32)
    curve = direct(Audio(loud[None], 11025), int(fps), fps)
    starts = torch.arange(int(fps)) / fps
    assert (curve[starts + 1 / fps < 0.499] == 0).all()
    assert (curve[starts > 0.501] > 0.99).all()


@steadily
@given(LEVELS, st.floats(1e-4, 8), TIMES)
def test_volume_changes_nothing(levels: list[float], volume: float, attack: float) -> None:
    audio, frames = steps(levels), len(levels) + 2
    other = Audio(audio.samples * np.float32(volume), audio.rate_hz)
    want = loudness_envelope(audio, frames, 25, attack_seconds=attack)
    assert torch.allclose(
        loudness_envelope(other, frames, 25, attack_seconds=attack), want, atol=1e-5
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"attack_seconds": -0.1},
        {"release_seconds": -1e-9},
        {"threshold": -0.1},
        {"threshold": 1.0},
        {"threshold": math.nan},
        {"attack_seconds": math.nan},
        {"release_seconds": math.nan},
    ],
    ids=str,
)
def test_an_envelope_that_cannot_be_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="Envelope: expected"):
        loudness_envelope(steps([1.0]), 3, 25, **wrong)


def test_the_text_of_an_envelope_gives_its_values() -> None:
    audio = steps([0.1, 0.9, 0.3, 0.0, 0.7])
    got = curves.parse_curve("envelope  threshold=.2 attack=1e-1\nrelease=0.3", 8, 25, audio)
    want = loudness_envelope(audio, 8, 25, attack_seconds=0.1, release_seconds=0.3, threshold=0.2)
    assert torch.equal(got, want)
    assert torch.equal(
        curves.parse_curve("envelope", 8, 25, audio), loudness_envelope(audio, 8, 25)
    )


@pytest.mark.parametrize("text", ["envelope", "1 * envelope", "invert envelope attack=1"])
def test_an_envelope_of_no_sound_is_refused(text: str) -> None:
    where = text.index("envelope") + 1
    with pytest.raises(InputError, match=rf"at character {where}\b.*envelope"):
        curves.parse_curve(text, 5, 25)


# Algebra -----------------------------------------------------------------------------------------


@steadily
@given(CURVES, CURVES, CURVES)
def test_multiplying_is_commutative_and_never_opens(
    a: list[float], b: list[float], c: list[float]
) -> None:
    x, y, z = (curves.curve_from_values(values, 8) for values in (a, b, c))
    product = curves.multiply_curves(x, y, z)
    assert torch.allclose(
        product, curves.multiply_curves(z, curves.multiply_curves(y, x)), atol=1e-6
    )
    assert (product <= torch.stack([x, y, z]).amin(0)).all()
    assert torch.equal(curves.multiply_curves(x, torch.ones(8)), x)
    assert not curves.multiply_curves(x, torch.zeros(8)).any()


@steadily
@given(CURVES)
def test_inverting_twice_changes_nothing(values: list[float]) -> None:
    curve = curves.curve_from_values(values, 8)
    assert torch.allclose(curves.invert_curve(curves.invert_curve(curve)), curve, atol=1e-6)
    assert torch.allclose(curves.invert_curve(curve) + curve, torch.ones(8))


@given(st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=8), STRENGTHS, STRENGTHS)
def test_clamping_keeps_what_is_inside(values: list[float], one: float, other: float) -> None:
    lowest, highest = sorted([one, other])
    curve = torch.tensor(values)
    clamped = curves.clamp_curve(curve, lowest, highest)
    inside = (curve >= lowest) & (curve <= highest)
    assert torch.equal(clamped[inside], curve[inside])
    assert torch.equal(curves.clamp_curve(clamped, lowest, highest), clamped)
    assert clamped.min() >= torch.tensor(lowest)
    assert clamped.max() <= torch.tensor(highest)


# Text --------------------------------------------------------------------------------------------

SOUND = steps([0.0, 0.3, 1.0, 0.2, 0.0, 0.0, 0.7, 0.1], 8000, 2)
SHARE_TEXTS = st.sampled_from(["0", "1", "0.5", ".25", "1e-3", "1."])
OPTIONS = st.lists(st.sampled_from(["attack=0", "release=.5", "threshold=0.3", "attack=2"]))
PLAIN_TERMS = st.one_of(
    SHARE_TEXTS,
    st.lists(SHARE_TEXTS, min_size=1).map(" ".join),
    st.builds(lambda keys, unit: written(keys, MODEL_FPS, unit), KEYS, UNITS),
    OPTIONS.map(lambda options: " ".join(["envelope", *options])),
)
TERMS = st.one_of(PLAIN_TERMS, PLAIN_TERMS.map(lambda term: f"invert {term}"))


@steadily
@given(st.lists(TERMS, min_size=1, max_size=4), st.integers(0, 12))
def test_every_gate_is_a_strength_for_each_frame(terms: list[str], frames: int) -> None:
    gate = curves.parse_curve(" * ".join(terms), frames, MODEL_FPS, SOUND)
    assert gate.shape == (frames,)
    assert gate.dtype == torch.float32
    assert ((gate >= 0) & (gate <= 1)).all()


@steadily
@given(TERMS, TERMS)
def test_written_operations_are_those_of_curves(a: str, b: str) -> None:
    x, y, product, inverted = (
        curves.parse_curve(text, 12, MODEL_FPS, SOUND) for text in (a, b, f"{a}*{b}", f"invert {a}")
    )
    assert torch.allclose(product, x * y, atol=1e-6)
    assert torch.allclose(inverted, 1 - x, atol=1e-6)


MALFORMED = [
    ("|", "a strength"),
    ("   |", "a strength"),
    ("|,", "a strength"),
    ("|on", "a number"),
    ("|nan", "a number"),
    ("|-inf", "a number"),
    ("|1e999", "a number"),
    ("|0.5.5", "a number"),
    ("|50%", "a number"),
    ("|1.5", "from 0 .* to 1"),
    ("|-0.1", "from 0 .* to 1"),
    ("0 1 |2", "from 0 .* to 1"),
    ("0,|5", "from 0 .* to 1"),
    ("0; 1\n|x 1", "a number"),
    ("0:|2", "from 0 .* to 1"),
    ("0:|-1", "from 0 .* to 1"),
    ("0:|nan", "a number"),
    ("0:|", "a number"),
    ("0:|hold", "a number"),
    ("|:1", "a number"),
    ("|a:1", "a number"),
    ("|f:1", "a number"),
    ("1f:1, |2x:0", "a number"),
    ("|2.5S:1", "a number"),
    ("1s:1, |2fs:0", "a number"),
    ("|inf:1", "a number"),
    ("|-1:0", "a time of 0 or more"),
    ("0:0, |-3f:1", "a time of 0 or more"),
    ("0:1,  |1", "time:strength"),
    ("0:1,\n|hold", "time:strength"),
    ("0:1:0", None),
    ("0:1 |wobble, 1:0", "linear or hold or ease"),
    ("0:0 hold, 1:1 |Hold", "linear or hold or ease"),
    ("0:1 |0:0", "linear or hold or ease"),
    ("invert|", "a strength"),
    ("invert invert|", "a strength"),
    ("invert |x", "a number"),
    ("|inverted 1", "a number"),
    ("1 |invert", "a number"),
    ("1 * |on", "a number"),
    ("0:1, 1:0 *   |1.5", "from 0 .* to 1"),
    ("0.5 * invert |x * 1", "a number"),
    ("|*", "a number|a strength"),
    ("envelope |loud=1", "attack=number"),
    ("envelope |0.5", "attack=number"),
    ("envelope |attack", "attack=number"),
    ("envelope attack=.1 |=2", "attack=number"),
    ("envelope attack=|", "a number"),
    ("envelope attack=|fast", "a number"),
    ("envelope attack=|0.1,release=0.2", "a number"),
    ("1 * envelope release=|nan", "a number"),
    ("|Envelope", "a number"),
]
"""Where each text is wrong, and what is expected there."""


@pytest.mark.parametrize(("marked", "expected"), MALFORMED)
def test_what_cannot_be_read_is_shown_where_it_stands(marked: str, expected: str | None) -> None:
    text = marked.replace("|", "")
    place = rf"{marked.index('|') + 1}" if "|" in marked else r"\d+"
    said = rf"expected .*{expected or ''}.* at character {place}, got"
    with pytest.raises(InputError, match=rf"Gate {re.escape(quote(text))}: {said}"):
        curves.parse_curve(text, 5, MODEL_FPS, SOUND)


def test_a_second_ease_is_not_called_an_unknown_one() -> None:
    with pytest.raises(InputError, match=r"Gate '0:1 linear hold': .* at character \d+") as raised:
        curves.parse_curve("0:1 linear hold", 5, MODEL_FPS)
    assert "expected linear or hold or ease at character 5, got 'linear'" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    [
        "0:1, 0:0",
        "1 * 2:1, 0:0, 2s:1",
        "envelope attack=-1",
        "1 * envelope release=-0.5",
        "envelope threshold=1",
        "envelope threshold=-.1",
    ],
)
def test_what_cannot_be_met_is_shown_where_it_stands(text: str) -> None:
    with pytest.raises(InputError, match=r"Gate '.*': expected .* at character \d+"):
        curves.parse_curve(text, 5, MODEL_FPS, SOUND)


@pytest.mark.parametrize("text", ["1 *", "* 1", "1 ** 0.5", "envelope * "])
def test_a_product_without_a_factor_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="Gate"):
        curves.parse_curve(text, 5, MODEL_FPS, SOUND)


# Checking ----------------------------------------------------------------------------------------

SCRAPS = ["0", "1", ".5", "2", "-", ":", ",", ";", "*", "f", "s", "=", "\n", "nan", "1e9", "x"]
WORDS = [" ", "hold", "ease", "linear", "invert ", "envelope ", "attack=", "threshold=", "0:1 "]
SCRIBBLES = st.lists(st.sampled_from(SCRAPS + WORDS), max_size=8).map("".join)


def is_read(text: str, frames: int, fps: float) -> bool:
    with suppress(InputError):
        curves.parse_curve(text, frames, fps, SOUND)
        return True
    return False


def is_good(text: str) -> bool:
    with suppress(InputError):
        curves.check_curve(text)
        return True
    return False


@settings(max_examples=200, deadline=None)
@given(SCRIBBLES, st.integers(1, 9), FPS)
@example("0:1, 0:0", 5, 25.0)
@example("envelope threshold=1", 5, 25.0)
@example("envelope attack=-1", 5, 25.0)
def test_checking_refuses_what_reading_refuses_and_nothing_else(
    text: str, frames: int, fps: float
) -> None:
    assert is_good(text) == is_read(text, frames, fps)


@steadily
@given(st.lists(TERMS, min_size=1, max_size=4).map(" * ".join))
def test_checking_accepts_every_gate(text: str) -> None:
    curves.check_curve(text)


@pytest.mark.parametrize(
    ("text", "fps"), [("40f:1, 1.6s:0", 12.5), ("40f:1, 1.6s:0", 30.0), ("0:0, 1s:1, 25f:0", 12.5)]
)
def test_checking_does_not_guess_a_frame_rate(text: str, fps: float) -> None:
    assert is_read(text, 5, fps)
    assert is_good(text)


# Experimental strengths --------------------------------------------------------------------------


def told(caplog: pytest.LogCaptureFixture, text: str) -> list[str]:
    with caplog.at_level(logging.INFO, logger="actalker_core.control.curves"):
        curves.check_curve(text)
        gate = curves.parse_curve(text, 5, 25, steps([0.5] * 5))
        curves.report_experimental("audio", gate)
    records = [r for r in caplog.records if r.name == "actalker_core.control.curves"]
    assert all(r.levelno == logging.INFO for r in records)
    return [r.getMessage() for r in records]


@pytest.mark.parametrize(
    ("text", "frames"),
    [
        ("0.5", 5),
        ("0 0 .1 1", 1),
        ("0:0, 4f:1", 3),
        ("envelope attack=1", 5),
        ("invert .3", 5),
        ("0.5 0.5 0 0 0", 2),
    ],
)
def test_strengths_between_0_and_1_are_told_once_to_be_experimental(
    caplog: pytest.LogCaptureFixture, text: str, frames: int
) -> None:
    (message,) = told(caplog, text)
    assert "audio" in message
    assert "experimental" in message
    assert f"{frames} of 5 frames" in message


def test_no_frames_have_no_experimental_ones(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="actalker_core.control.curves"):
        curves.report_experimental("audio", torch.zeros(0))
    assert not caplog.records


@pytest.mark.parametrize(
    "text", ["1", "0", "0 1 0", "0:1 hold, 2f:0", "0.5 * 0", "1 1 1 1 1 0.5", "invert 1"]
)
def test_trained_strengths_are_not_remarked_upon(
    caplog: pytest.LogCaptureFixture, text: str
) -> None:
    assert told(caplog, text) == []


# Drawn -------------------------------------------------------------------------------------------


@given(frames=st.integers(1, 200), fps=FPS, left=st.floats(-1, 2), right=st.floats(-1, 2))
@steadily
def test_a_drawn_curve_goes_from_end_to_end_of_any_clip_and_stays_in_bounds(
    frames: int, fps: float, left: float, right: float
) -> None:
    drawn = curves.DrawnCurve(lambda places: left + (right - left) * places)
    curve = drawn.sample(frames, fps)
    ends = [min(max(value, 0.0), 1.0) for value in (left, right)]
    assert curve.shape == (frames,)
    assert curve[0].item() == pytest.approx(ends[0], abs=1e-6)
    assert frames == 1 or curve[-1].item() == pytest.approx(ends[1], abs=1e-6)
    assert (curve >= 0).all()
    assert (curve <= 1).all()


def test_a_drawn_curve_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InputError, match=r"expected finite values.*Draw the curve anew"):
        curves.DrawnCurve(lambda places: np.full(places.shape, np.nan)).sample(3, 25.0)
