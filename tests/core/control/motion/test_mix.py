"""Mixes: each group is its owner's, gates act over time, and texts say who owns what."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from helpers.edits import EXPECTED_GOT, quick
from helpers.motions import motion
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from actalker_core.control.curves import Curve
from actalker_core.control.motion.columns import COLUMNS, build_motion
from actalker_core.control.motion.groups import find_moving_groups, pick_groups
from actalker_core.control.motion.hand import move_by_hand, move_by_text
from actalker_core.control.motion.idle import move_idly
from actalker_core.control.motion.mix import (
    CORNERS,
    SOURCES,
    Layer,
    choose_owners,
    find_top_source,
    mix_motion,
    parse_mix,
)
from actalker_core.control.motion.signal import GROUPS, MotionSignal
from actalker_core.errors import InputError

FRAMES, FPS = 40, 25.0


def speech(**courses: float) -> MotionSignal:
    courses = courses or {"jawOpen": 0.5, "mouthPucker": 0.25}
    tracks = {name: torch.full((FRAMES,), value) for name, value in courses.items()}
    return build_motion(tracks, FPS, "speech")


def value(signal: MotionSignal, name: str, frame: int = 0) -> float:
    track, column = COLUMNS[name]
    return float(signal.tracks[track][frame, column])


def mix(text: str = "", **sources: MotionSignal) -> MotionSignal:
    return mix_motion(sources, text, frames=FRAMES, fps=FPS)


def assert_group_of(result: MotionSignal, source: MotionSignal, *groups: str) -> None:
    """Without detail: what vertices share is no group's alone."""
    expected, part = pick_groups(source, groups), pick_groups(result, groups)
    for name in ("blendshapes", "rotation_degrees", "translation", "head_scale", "gaze"):
        torch.testing.assert_close(part.tracks[name], expected.tracks[name])


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_alone_is_itself(name: str) -> None:
    source = pick_groups(motion(), ["mouth"]) if name == "audio" else motion()
    result = mix(**{name: source})
    for track in source.tracks:
        torch.testing.assert_close(result.tracks[track], source.tracks[track])
    assert find_moving_groups(mix()) == ()


def test_the_audio_owns_the_mouth_and_the_clip_the_rest() -> None:
    clip, audio = motion(with_detail=True), speech()
    result = mix(clip=clip, audio=audio, words=motion(seed=7), idle=motion(seed=8))
    assert_group_of(result, audio, "mouth")
    assert_group_of(result, clip, *(group for group in GROUPS if group != "mouth"))
    assert result.detail is not None
    assert clip.detail is not None
    assert clip.detail_weights is not None
    shares = 1 - clip.detail_weights[GROUPS.index("mouth")].repeat_interleave(3)
    torch.testing.assert_close(result.detail, clip.detail * shares)


def test_without_a_clip_words_express_and_idle_life_fills() -> None:
    words = move_by_hand({"joy": 1.0})
    idle = move_idly(FRAMES, FPS)
    result = mix(audio=speech(), words=words, idle=idle)
    assert_group_of(result, idle, "head", "gaze")
    assert_group_of(result, words.sample(FRAMES, FPS), "cheeks")
    owners = choose_owners({"audio": speech(), "words": words, "idle": move_idly(500, FPS)})
    assert owners["eyes"] == (Layer("words"), Layer("idle", is_added=True))
    assert owners["mouth"] == (Layer("audio"), Layer("words", is_added=True))


def test_emotion_moves_the_corners_of_a_mouth_that_speaks() -> None:
    audio, words = speech(mouthClose=1.0, jawOpen=0.2), move_by_hand({"laughter": 1.0})
    result = mix(audio=audio, words=words)
    for name in COLUMNS:
        if name in CORNERS:
            assert value(result, name) == pytest.approx(value(words, name), abs=1e-6)
        elif name.startswith(("mouth", "jaw")):
            assert value(result, name) == pytest.approx(value(audio, name), abs=1e-6)


@given(seed=st.integers(0, 99), emotion=st.sampled_from(["joy", "anger", "sadness", "surprise"]))
@quick
def test_a_curve_is_the_strength_of_an_emotion_and_lips_close_as_speech_has_them(
    seed: int, emotion: str
) -> None:
    generator = torch.Generator().manual_seed(seed)
    jaw = torch.rand(FRAMES, generator=generator)
    audio = build_motion({"jawOpen": jaw, "mouthClose": 1 - jaw}, FPS, "speech")
    words = move_by_hand({emotion: 1.0})
    result = mix("mouth: audio + words 0:0, 1s:1; brows: words 0:0, 1s:1", audio=audio, words=words)
    strength = torch.arange(FRAMES).div(FPS).clamp(max=1)
    for name, (track, column) in COLUMNS.items():
        course = result.tracks[track][:, column]
        if name in CORNERS or name.startswith("brow"):
            torch.testing.assert_close(course, strength * value(words, name))
        elif name.startswith(("mouth", "jaw")):
            torch.testing.assert_close(course, audio.tracks[track][:, column])


def test_puckered_lips_keep_corners_back() -> None:
    words = move_by_hand({"joy": 1.0})
    plain, round_lips = (mix(audio=speech(mouthPucker=p), words=words) for p in (0.0, 1.0))
    ratio = value(round_lips, "mouthSmileLeft") / value(plain, "mouthSmileLeft")
    assert ratio == pytest.approx(0.4)


def test_a_hand_may_open_a_mouth_that_does_not_speak() -> None:
    result = mix(words=move_by_hand({"joy": 1.0}), numbers=move_by_hand({"jawOpen": 0.5}))
    assert value(result, "jawOpen") == pytest.approx(0.5)


def test_where_the_gate_of_speech_is_shut_the_clip_has_the_mouth() -> None:
    clip, audio = motion(), speech()
    gates = {"audio": Curve("0:0, 0.8s:0 hold, 0.84s:1")}
    result = mix_motion({"clip": clip, "audio": audio}, frames=FRAMES, fps=FPS, gates=gates)
    assert_group_of(result.trim(0, 0.8), clip.trim(0, 0.8), "mouth")
    assert_group_of(result.trim(0.84), audio.trim(0.84), "mouth")


def test_numbers_are_added_and_switch_idle_life_off() -> None:
    clip, numbers = motion(), move_by_hand({"yaw": 10.0, "scale": 1.5})
    result = mix(clip=clip, numbers=numbers)
    torch.testing.assert_close(result.rotation_degrees[:, 1], clip.rotation_degrees[:, 1] + 10)
    torch.testing.assert_close(result.head_scale, clip.head_scale * 1.5)
    idle = mix(idle=motion(), numbers=numbers)
    assert value(idle, "yaw") == value(idle, "yaw", 30) == 10
    assert_group_of(idle, motion(), "gaze")


def test_a_yaw_by_hand_stops_the_sway_of_the_whole_head_unless_a_text_adds_it() -> None:
    idle, numbers = move_idly(FRAMES, FPS), move_by_hand({"yaw": 10.0})
    still = mix(idle=idle, numbers=numbers)
    assert_group_of(still, numbers.sample(FRAMES, FPS), "head")
    sum_of_motion = mix("head: numbers + idle", idle=idle, numbers=numbers)
    assert_group_of(sum_of_motion, still, "eyes", "brows", "gaze")
    turn = torch.tensor([0.0, 10.0, 0.0])
    torch.testing.assert_close(sum_of_motion.rotation_degrees, idle.rotation_degrees + turn)
    torch.testing.assert_close(sum_of_motion.translation, idle.translation)


def test_idle_life_blinks_on_under_a_smile_and_not_under_a_blink_by_hand() -> None:
    idle = motion()
    smiles, blinks = (move_by_hand({name: 0.5}) for name in ("smile", "blink"))
    assert Layer("idle", is_added=True) in choose_owners({"idle": idle, "numbers": smiles})["eyes"]
    assert choose_owners({"idle": idle, "numbers": blinks})["eyes"] == (Layer("numbers"),)


def test_the_sum_of_blinks_is_a_blink() -> None:
    result = mix("eyes: idle + numbers", idle=motion(), numbers=move_by_hand({"blink": 1.0}))
    assert value(result, "eyeBlinkLeft") == 1


def test_sources_of_any_rate_and_length_are_laid_over_the_frames() -> None:
    text = "mouth: numbers; head: clip"
    result = mix(
        text, clip=motion(10, 50.0), numbers=move_by_text("0s: jawOpen=0; 1s: jawOpen=1", 60, 60.0)
    )
    assert (len(result), result.rate_hz) == (FRAMES, FPS)
    torch.testing.assert_close(result.rotation_degrees[-1], motion(10, 50.0).rotation_degrees[-1])
    assert value(result, "jawOpen", 12) == pytest.approx(0.48, abs=1e-3)


def test_detail_is_what_each_source_owns_of_it() -> None:
    clip, numbers = motion(with_detail=True), motion(seed=3, with_detail=True)
    assert clip.detail is not None
    assert numbers.detail is not None
    total = mix("all: clip 0.5 + numbers 0.25", clip=clip, numbers=numbers)
    torch.testing.assert_close(total.detail, clip.detail / 2 + numbers.detail / 4)
    over = mix("all: numbers 0.25 over clip", clip=clip, numbers=numbers)
    torch.testing.assert_close(over.detail, clip.detail * 0.75 + numbers.detail / 4)
    assert mix("all: idle", clip=clip, idle=motion(seed=5)).detail is None


def test_a_mix_holds_detail_once_more() -> None:
    """Whatever else it makes of it are pieces of a few frames."""
    clip, audio = motion(2000, FPS, with_detail=True), motion(2000, FPS, seed=2)
    assert clip.detail is not None
    with TensorSizes() as sizes:
        mix_motion({"clip": clip, "audio": audio}, frames=2000, fps=FPS)
    assert sorted(sizes.bytes)[-1] == clip.detail.nbytes
    assert sorted(sizes.bytes)[-2] < clip.detail.nbytes / 5


class TensorSizes(TorchDispatchMode):
    """Lists how large each tensor is that PyTorch makes."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes: list[int] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.bytes.append(result.nbytes)
        return result


# As text -----------------------------------------------------------------------------------------


def test_a_text_says_who_owns_a_group_and_how_strongly() -> None:
    clip, idle = motion(), motion(seed=4)
    result = mix("eyes: idle 0.5; head: none; brows, cheeks: idle", clip=clip, idle=idle)
    assert_group_of(result, half(idle), "eyes")
    assert_group_of(result, idle, "brows", "cheeks")
    assert_group_of(result, clip, "mouth", "gaze")
    assert "head" not in find_moving_groups(result)


def half(signal: MotionSignal) -> MotionSignal:
    shapes = signal.blendshapes / 2
    return replace(signal, blendshapes=shapes)


def test_a_source_over_another_hides_it_as_far_as_it_is_strong() -> None:
    clip, audio = motion(), speech()
    result = mix("mouth: audio 0:0, 39f:1 over clip", clip=clip, audio=audio)
    share = torch.linspace(0, 1, FRAMES)
    jaw = (1 - share) * clip.blendshapes[:, 25] + share * 0.5
    torch.testing.assert_close(result.blendshapes[:, 25], jaw)


def test_all_is_every_group_that_no_other_part_names() -> None:
    layers = parse_mix("all: clip\nmouth: audio + words 0.5 over clip 0:0, 2s:1 hold")
    assert layers["mouth"] == (
        Layer("clip", "0:0, 2s:1 hold"),
        Layer("audio"),
        Layer("words", "0.5", is_added=True),
    )
    assert all(layers[group] == (Layer("clip"),) for group in GROUPS if group != "mouth")


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("mouth", 1),
        ("mouth:", 7),
        ("nose: clip", 1),
        ("mouth: ear", 8),
        ("mouth: clip; mouth: audio", 14),
        (": clip", 1),
        ("mouth: clip +", 14),
        ("mouth: over clip", 8),
        ("mouth: clip over over audio", 18),
        ("mouth, nose: clip", 8),
        ("mouth: clip + zebra 0.5", 15),
    ],
)
def test_a_mix_that_cannot_be_read_says_where(text: str, character: int) -> None:
    with pytest.raises(InputError, match=rf"(?s)Mix .*expected .* at character {character}, got"):
        parse_mix(text)


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("mouth: clip 2", 13),
        ("mouth: clip x", 13),
        ("mouth: clip 0:0 0:1", 16),
        ("head: clip; mouth: clip 0:0, 1s:3", 33),
        ("mouth: audio over clip invert 7", 31),
    ],
)
def test_a_gate_that_cannot_be_read_says_where_in_the_mix(text: str, character: int) -> None:
    with pytest.raises(InputError, match=rf"(?s)Mix .*expected .* at character {character}, got"):
        parse_mix(text)


def test_a_source_that_is_not_there_owns_nothing() -> None:
    with pytest.raises(InputError, match="expected clip or none at character 8, got 'audio'"):
        mix("mouth: audio", clip=motion())
    with pytest.raises(InputError, match=EXPECTED_GOT):
        mix(zebra=motion())


@quick
@given(
    st.text(max_size=12)
    | st.lists(
        st.sampled_from([*SOURCES, *GROUPS, *":;+, ", " over ", "all", "none", "0.5", "é"])
    ).map("".join)
)
def test_any_text_is_a_mix_or_an_input_error(text: str) -> None:
    try:
        result: dict[str, tuple[Layer, ...]] | str = parse_mix(text)
    except InputError as error:
        result = str(error)
    assert "at character" in result if isinstance(result, str) else set(result) <= set(GROUPS)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("", "audio"),
        ("mouth: clip", "clip"),
        ("mouth: audio over clip + words", "audio"),
        ("mouth: clip + words 0.5", "clip"),
        ("mouth: none", ""),
    ],
)
def test_the_mouth_is_the_top_source_s_and_not_what_is_added_to_it(text: str, source: str) -> None:
    sources = {name: speech() for name in ("audio", "clip", "words")}
    assert find_top_source("mouth", sources, text) == source
