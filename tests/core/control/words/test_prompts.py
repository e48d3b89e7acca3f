"""Prompts over time become expressions."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.banks import (
    FPS,
    KINDS,
    WORDS,
    NameMatcher,
    WholeImageFinder,
    express,
    matcher_of,
    named_bank,
    preset_bank,
    references,
)
from helpers.formula import randn

from actalker_core.control.words.bank import EncodeFaces, build_bank, load_bank, save_bank
from actalker_core.control.words.clip import CLIPEncoder
from actalker_core.control.words.matchers import CLIPMatcher, PresetMatcher
from actalker_core.control.words.presets import PRESETS
from actalker_core.control.words.prompt import Moment, express_words, parse_prompt
from actalker_core.errors import InputError, quote

# Expressions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [0.01, 0.1, 0.25])
@pytest.mark.parametrize("word", [preset for preset in PRESETS if preset != "neutral"])
def test_strength_leads_to_the_named_entry(kind: str, temperature: float, word: str) -> None:
    bank = preset_bank()
    matcher = matcher_of(kind, bank, temperature)
    aim = bank.features[bank.names.index(word)]
    distances = [
        (express(word, bank, matcher, strength)[0] - aim).norm().item()
        for strength in np.linspace(0, 1, 11)
    ]
    assert all(b < a for a, b in pairwise(distances))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["joy", "0s: joy; 2s: sadness; 5s: neutral"])
def test_strength_zero_is_neutral_at_every_time(kind: str, text: str) -> None:
    bank = replace(preset_bank(), features=randn(0, "features", len(PRESETS), 7))
    features = express(text, bank, matcher_of(kind, bank, 0.25), strength=0)
    assert torch.equal(features, bank.features[bank.neutral_index].expand(75, -1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("word", PRESETS)
def test_a_sharp_choice_is_the_entry_itself(kind: str, temperature: float, word: str) -> None:
    bank = replace(preset_bank(), features=randn(0, "features", len(PRESETS), 7))
    features = express(word, bank, matcher_of(kind, bank, temperature))
    aim = bank.features[bank.names.index(word)]
    assert torch.allclose(features, aim.expand(75, -1), atol=1e-5)


@pytest.mark.parametrize("strength", [-0.5, 0.3, 1.0, 2.5])
def test_strength_is_a_share_of_the_way_from_neutral(strength: float) -> None:
    bank = replace(named_bank(), features=randn(0, "features", 4, 7))
    neutral, _, _, sad = bank.features
    expected = neutral + strength * (sad - neutral)
    assert torch.allclose(express("sad", bank, NameMatcher(bank), strength)[0], expected, atol=1e-5)


@pytest.mark.parametrize("neutral", ["neutral", " Neutral ", "0s: neutral", "NEUTRAL"])
def test_neutral_is_the_neutral_entry_and_no_mixture(neutral: str) -> None:
    bank = replace(preset_bank(), features=randn(0, "features", len(PRESETS), 7))
    features = express(neutral, bank, PresetMatcher(bank, 10.0))
    assert torch.equal(features[0], bank.features[0])


@pytest.mark.parametrize("rate_hz", [12.5, 25.0, 30.0, 5.0])
def test_words_are_reached_at_their_times(rate_hz: float) -> None:
    bank = replace(named_bank(), features=randn(0, "features", 4, 7))
    prompt = parse_prompt("0s: neutral; 2s: joyful; 4s: surprised")
    signal = express_words(
        prompt, bank, NameMatcher(bank), seconds=6, rate_hz=rate_hz, strength=0.7
    )
    assert (len(signal), signal.rate_hz) == (round(6 * rate_hz), rate_hz)
    for seconds, word in ((0, "neutral"), (2, "joyful"), (4, "surprised"), (5, "surprised")):
        exact = express(word, bank, NameMatcher(bank), strength=0.7)[0]
        assert torch.equal(signal.features[round(seconds * rate_hz)], exact)


def test_between_words_the_change_is_even() -> None:
    bank = replace(named_bank(), features=randn(0, "features", 4, 7))
    features = express("1s: joyful; 3s: sad", bank, NameMatcher(bank))
    times = torch.arange(75) / FPS
    share = ((times - 1) / 2).clamp(0, 1)[:, None]
    _, joyful, _, sad = bank.features
    assert torch.allclose(features, joyful + share * (sad - joyful), atol=1e-5)


def test_outside_the_words_they_hold() -> None:
    bank = named_bank()
    features = express("2s: joyful; 4s: sad", bank, NameMatcher(bank))
    assert torch.equal(features[:26], features[:1].expand(26, -1))
    assert torch.equal(features[50:], features[-1:].expand(25, -1))
    assert not torch.equal(features[0], features[-1])


def test_a_time_between_two_values_is_passed_evenly() -> None:
    bank = named_bank()
    prompt = [Moment(0.0, "joyful"), Moment(0.3, "sad"), Moment(1.2, "joyful")]
    features = express_words(prompt, bank, NameMatcher(bank), seconds=2, rate_hz=2).features
    sad = features[:, WORDS.index("sad")]
    assert torch.allclose(sad, torch.tensor([0.0, 0.7 / 0.9, 0.2 / 0.9, 0.0]), atol=1e-6)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.01, 1e15, float("inf"), float("nan")])
def test_a_duration_holds_at_least_one_value_and_ends(seconds: float) -> None:
    bank = named_bank()
    with pytest.raises(InputError):
        express_words(parse_prompt("sad"), bank, NameMatcher(bank), seconds=seconds, rate_hz=FPS)


def test_the_longest_duration_that_an_error_names_is_taken() -> None:
    """A day, as for every signal, though a file could hold more."""
    bank = named_bank()
    with pytest.raises(InputError, match=r"Text: expected 1 s \(one value\) to 86400 s"):
        express_words(parse_prompt("sad"), bank, NameMatcher(bank), seconds=86_401, rate_hz=1)
    signal = express_words(parse_prompt("sad"), bank, NameMatcher(bank), seconds=86_400, rate_hz=1)
    assert signal.seconds == 86_400
    with pytest.raises(InputError, match=r"Duration: expected 1 s \(one value\) to 86400 s"):
        signal.hold(500_000)
    assert signal.hold(86_400).seconds == 86_400


@pytest.mark.parametrize("strength", [float("nan"), float("inf")])
def test_a_strength_is_a_finite_number(strength: float) -> None:
    with pytest.raises(InputError):
        express("sad", named_bank(), NameMatcher(named_bank()), strength)


def test_a_word_that_the_matcher_does_not_know_is_named() -> None:
    bank = preset_bank()
    with pytest.raises(InputError, match="quixotic"):
        express("0s: joy; 1s: quixotic", bank, PresetMatcher(bank))


# Prompts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["0s: neutral; 2.5s: joyful", "2.5: joyful\n0: neutral", " 0s:neutral ;\n;2.5s :joyful;"],
)
def test_words_are_ordered_by_time(text: str) -> None:
    assert parse_prompt(text) == [Moment(0.0, "neutral"), Moment(2.5, "joyful")]


@pytest.mark.parametrize("text", ["wide smile", "  wide smile \n", "wide smile;", ";wide smile"])
def test_words_without_a_time_hold_throughout(text: str) -> None:
    assert parse_prompt(text) == [Moment(0.0, "wide smile")]


def test_words_may_have_colons() -> None:
    assert parse_prompt("1s: joy: a wide one") == [Moment(1.0, "joy: a wide one")]


@pytest.mark.parametrize(
    "marked_prompt",
    [
        *("^", "^;", "^;\n;"),
        *("^joyful; sad", "0s: neutral; ^joyful", "0s: neutral\n^joyful", "^smile: wide"),
        *("0s:^", "0s: joyful; 2s:^", "0s: joyful; 2s:^; 3s: sad"),
        *("^x: joyful", "  ^x: joyful", "0s: neutral; ^2x: joyful", "^: joyful", "^s: joyful"),
        *("^-1s: joyful", "^nans: joyful", "^infs: joyful", "^40f: joyful", "0: sad; ^1e999: sad"),
        *("0s: neutral^, 1s: joyful", "0: wide smile^ 2.5 : sad"),
        *("1s: joyful; ^1.0: sad", "2s: a; 1s: b;  ^2s: c", "0s: a; ^-0s: b"),
    ],
)
def test_a_prompt_that_cannot_be_read_is_pointed_into(marked_prompt: str) -> None:
    prompt, character = marked_prompt.replace("^", ""), marked_prompt.index("^") + 1
    with pytest.raises(InputError, match=rf"(?s)^Prompt .*at character {character},") as error:
        parse_prompt(prompt)
    assert quote(prompt) in str(error.value)


@pytest.mark.parametrize("text", ["   ", "\n\n", " ; "])
def test_a_blank_prompt_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected a text"):
        parse_prompt(text)


# All together ------------------------------------------------------------------------------------


@pytest.mark.parametrize("caption", ["", "a face of"])
def test_images_become_a_signal_that_words_drive(
    tmp_path: Path, encode_faces: EncodeFaces, clip: CLIPEncoder, caption: str
) -> None:
    path = tmp_path / "bank.safetensors"
    save_bank(
        path,
        build_bank(references(*WORDS, caption=caption), encode_faces, WholeImageFinder(), clip),
    )
    bank = load_bank(path)
    matcher = CLIPMatcher(bank, clip)
    features = express("0s: neutral; 2s: joyful; 4s: sad", bank, matcher)
    assert torch.equal(features[0], bank.features[0])
    assert torch.allclose(features[-1], matcher.match("sad") @ bank.features, atol=1e-5)
    assert not torch.allclose(features[25], features[-1])
