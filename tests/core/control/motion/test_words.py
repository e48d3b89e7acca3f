"""Words become the numbers of their preset, over time."""

from pathlib import Path

import pytest
import torch
from helpers.banks import StubClip, write_clip

from actalker_core.control.motion.columns import COLUMNS
from actalker_core.control.motion.expressions import EXPRESSIONS
from actalker_core.control.motion.groups import find_moving_groups
from actalker_core.control.motion.signal import MotionSignal
from actalker_core.control.motion.words import make_expression_bank, move_by_words
from actalker_core.control.words.clip import CLIPEncoder
from actalker_core.control.words.presets import PRESETS, SYNONYMS
from actalker_core.control.words.prompt import parse_prompt
from actalker_core.errors import InputError

FPS = 10.0


def move(text: str, seconds: float = 3, strength: float = 1.0) -> MotionSignal:
    return move_by_words(parse_prompt(text), seconds=seconds, rate_hz=FPS, strength=strength)


def numbers(signal: MotionSignal, frame: int) -> dict[str, float]:
    values = {
        name: float(signal.tracks[track][frame, column])
        for name, (track, column) in COLUMNS.items()
    }
    return {name: value for name, value in values.items() if value and name != "head_scale"}


def test_every_preset_has_its_numbers() -> None:
    assert list(EXPRESSIONS) == list(PRESETS)
    for values in EXPRESSIONS.values():
        assert set(values) <= set(COLUMNS)
        assert all(-1 <= value <= 1 for value in values.values())


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_and_its_synonyms_are_its_numbers(name: str) -> None:
    for word in (name, name.upper(), *SYNONYMS.get(name, ())):
        assert numbers(move(f"a {word} face"), 0) == pytest.approx(EXPRESSIONS[name])


def test_words_over_time_are_mixed_between_and_held_outside() -> None:
    signal = move("1s: neutral; 2s: joyful")
    assert len(signal) == 30
    assert numbers(signal, 5) == {}
    half = {name: value / 2 for name, value in EXPRESSIONS["joy"].items()}
    assert numbers(signal, 15) == pytest.approx(half)
    assert numbers(signal, 29) == pytest.approx(EXPRESSIONS["joy"])


def test_words_leave_the_head_and_the_gaze() -> None:
    for name in EXPRESSIONS:
        assert not {"head", "gaze"} & set(find_moving_groups(move(name)))


def test_strength_scales_the_expression() -> None:
    weak = {name: value / 2 for name, value in EXPRESSIONS["anger"].items()}
    assert numbers(move("angry", strength=0.5), 0) == pytest.approx(weak)
    assert numbers(move("angry", strength=0), 0) == {}


def test_a_word_of_no_preset_is_refused() -> None:
    with pytest.raises(InputError, match=r"'zebra': expected one of .*joy"):
        move("zebra")


def test_by_clip_any_text_is_a_mix_of_captions() -> None:
    clip = StubClip()
    prompt = parse_prompt("zebra")
    signal = move_by_words(prompt, seconds=1, rate_hz=FPS, clip=clip)  # type: ignore[arg-type]
    assert torch.isfinite(signal.blendshapes).all()
    caption = make_expression_bank().captions[1]
    result = move_by_words(
        parse_prompt(caption),
        seconds=1,
        rate_hz=FPS,
        clip=clip,  # type: ignore[arg-type]
    )
    strongest = max(EXPRESSIONS["joy"], key=lambda name: EXPRESSIONS["joy"][name])
    assert numbers(result, 0)[strongest] == pytest.approx(EXPRESSIONS["joy"][strongest], rel=0.1)


def test_a_folder_of_clip_matches_any_text(tmp_path: Path) -> None:
    """Its weights are made up: which expression it finds is chance, that it is one is not."""
    clip = CLIPEncoder(write_clip(tmp_path))
    signal = move_by_words(parse_prompt("0s: zebra; 1s: rain"), seconds=2, rate_hz=FPS, clip=clip)
    assert len(signal) == 20
    assert set(find_moving_groups(signal)) <= {"mouth", "eyes", "brows", "cheeks"}
    highest = max(value for preset in EXPRESSIONS.values() for value in preset.values())
    assert 0 < signal.blendshapes.abs().max() <= highest + 1e-5
    # A caption is nearest to itself.
    bank = make_expression_bank()
    for name, caption in list(zip(bank.names, bank.captions, strict=True))[1:4]:
        result = move_by_words(parse_prompt(caption), seconds=1, rate_hz=FPS, clip=clip)
        expected = torch.tensor([EXPRESSIONS[name].get(column, 0.0) for column in COLUMNS])
        values = torch.tensor([numbers(result, 0).get(column, 0.0) for column in COLUMNS])
        assert torch.cosine_similarity(values, expected, dim=0) > 0.5
