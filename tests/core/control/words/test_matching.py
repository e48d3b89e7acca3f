"""Words choose entries of a bank: by CLIP, by presets, by their names."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.banks import (
    KINDS,
    WIDTH,
    WORDS,
    StubClip,
    matcher_of,
    named_bank,
    phrases,
    preset_bank,
    shapes_of,
    write_clip,
)
from helpers.formula import rand, randn
from numpy.typing import NDArray
from torch import Tensor

from actalker_core.control.words.bank import Bank
from actalker_core.control.words.clip import CLIPEncoder
from actalker_core.control.words.matchers import (
    CLIP_TEMPERATURE,
    PRESET_TEMPERATURE,
    CLIPMatcher,
    PresetMatcher,
    WordMatcher,
)
from actalker_core.control.words.presets import PRESETS, SYNONYMS
from actalker_core.errors import InputError
from actalker_core.faces.blendshapes import NAMES

Floats = NDArray[np.float64]


def softmax(x: Floats) -> Floats:
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


def match_by_formula(text: Tensor, texts: Tensor, entries: Tensor, temperature: float) -> Floats:
    """softmax(cos(text − mean of texts, entry − mean of entries) / temperature)."""
    a = np.asarray(text - texts.mean(0), np.float64)
    e = np.asarray(entries - entries.mean(0), np.float64)
    cosines = e @ a / np.linalg.norm(e, axis=1) / np.linalg.norm(a)
    return softmax(cosines / temperature)


# Matching by CLIP --------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.03, 0.1, 1.0])
@pytest.mark.parametrize("text", ["joyful", "something else"])
def test_captions_are_matched_as_documented(text: str, temperature: float) -> None:
    stub = StubClip()
    entries = stub.encode_texts(phrases(WORDS))
    weights = CLIPMatcher(named_bank(), stub, temperature).match(text)
    expected = match_by_formula(
        stub.encode_texts(phrases([text]))[0], entries, entries, temperature
    )
    assert np.allclose(weights, expected, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.03, 0.1, 1.0])
@pytest.mark.parametrize("text", ["joyful", "something else"])
def test_images_are_matched_as_documented(text: str, temperature: float) -> None:
    stub, images = StubClip(), randn(0, "images", 4, WIDTH)
    bank = Bank(WORDS, torch.eye(4), image_embeddings=images, clip_fingerprint=stub.fingerprint)
    weights = CLIPMatcher(bank, stub, temperature).match(text)
    texts = stub.encode_texts(phrases(list(PRESETS)))
    expected = match_by_formula(stub.encode_texts(phrases([text]))[0], texts, images, temperature)
    assert np.allclose(weights, expected, atol=1e-5)


def test_a_real_clip_is_matched_as_documented(clip: CLIPEncoder) -> None:
    entries = clip.encode_texts(phrases(WORDS))
    weights = CLIPMatcher(named_bank(), clip).match("happy")
    expected = match_by_formula(clip.encode_texts(phrases(["happy"]))[0], entries, entries, 0.1)
    assert np.allclose(weights, expected, atol=1e-3)


def test_captions_go_before_images() -> None:
    stub = StubClip()
    bank = replace(
        named_bank(),
        image_embeddings=randn(0, "images", 4, WIDTH),
        clip_fingerprint=stub.fingerprint,
    )
    weights, caption_weights = (CLIPMatcher(b, stub).match("joyful") for b in (bank, named_bank()))
    assert torch.equal(weights, caption_weights)


def test_where_images_and_texts_crowd_does_not_matter() -> None:
    images = randn(0, "images", 4, WIDTH)
    banks = [
        Bank(WORDS, torch.eye(4), image_embeddings=images + shift, clip_fingerprint="stub")
        for shift in (0.0, 3.0)
    ]
    first = CLIPMatcher(banks[0], StubClip()).match("joyful")
    second = CLIPMatcher(banks[1], StubClip(gap=-3.0)).match("joyful")
    assert torch.allclose(first, second, atol=1e-4)


@pytest.mark.parametrize("word", WORDS)
def test_a_caption_finds_itself(clip: CLIPEncoder, word: str) -> None:
    weights = CLIPMatcher(named_bank(), clip).match(word)
    assert weights.argmax() == WORDS.index(word)
    assert torch.isclose(weights.sum(), torch.tensor(1.0))


def test_a_lower_temperature_chooses_fewer() -> None:
    weights = [
        CLIPMatcher(named_bank(), StubClip(), t).match("joyful").max().item()
        for t in (1.0, 0.3, 0.1, 0.01)
    ]
    assert weights == sorted(weights)
    assert weights[-1] == pytest.approx(1)


@pytest.mark.parametrize(
    ("kind", "temperature"), [("clip", CLIP_TEMPERATURE), ("preset", PRESET_TEMPERATURE)]
)
def test_each_matcher_has_a_temperature_of_its_own(kind: str, temperature: float) -> None:
    weights, expected, other_weights = (
        matcher_of(kind, preset_bank(), value).match("joy")
        for value in (None, temperature, 2 * temperature)
    )
    assert torch.equal(weights, expected)
    assert not torch.equal(weights, other_weights)


def test_one_entry_gets_all_the_weight() -> None:
    assert CLIPMatcher(named_bank(("joyful",)), StubClip()).match("sad").tolist() == [1.0]


@pytest.mark.parametrize(("bank_width", "clip_width"), [(768, 1024), (1024, 768), (768, 768)])
def test_towers_of_different_clips_are_named(bank_width: int, clip_width: int) -> None:
    bank_clip, other_clip = f"{bank_width}:bank", f"{clip_width}:other"
    bank = Bank(
        WORDS,
        torch.eye(4),
        image_embeddings=randn(0, "images", 4, bank_width),
        clip_fingerprint=bank_clip,
    )
    with pytest.raises(InputError, match=rf"{bank_width}.*{bank_clip}.*{clip_width}.*{other_clip}"):
        CLIPMatcher(bank, StubClip(clip_width, other_clip))


def test_a_real_clip_of_the_same_width_is_refused(clip: CLIPEncoder, tmp_path: Path) -> None:
    other_clip = CLIPEncoder(write_clip(tmp_path / "other", seed=1))
    bank = Bank(
        WORDS,
        torch.eye(4),
        image_embeddings=torch.ones(4, WIDTH),
        clip_fingerprint=other_clip.fingerprint,
    )
    with pytest.raises(InputError, match=rf"{other_clip.fingerprint}.*{clip.fingerprint}"):
        CLIPMatcher(bank, clip)


def test_a_bank_that_clip_cannot_compare_is_refused() -> None:
    with pytest.raises(InputError, match="neither captions nor CLIP embeddings"):
        CLIPMatcher(Bank(WORDS, torch.eye(4)), StubClip())


# Presets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_made_of_blendshapes(preset: str) -> None:
    assert set(PRESETS[preset]) <= set(NAMES[1:])
    assert all(0 < value <= 1 for value in PRESETS[preset].values())


@pytest.mark.parametrize("temperature", [None, 0.1, 1.0])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_finds_itself(preset: str, temperature: float | None) -> None:
    options = {} if temperature is None else {"temperature": temperature}
    weights = PresetMatcher(preset_bank(), **options).match(preset)
    assert weights.argmax() == list(PRESETS).index(preset)
    assert torch.isclose(weights.sum(), torch.tensor(1.0))


@pytest.mark.parametrize("temperature", [0.1, 0.25, 1.0])
@pytest.mark.parametrize("preset", ["neutral", "joy", "contempt"])
def test_presets_are_matched_as_documented(preset: str, temperature: float) -> None:
    bank = replace(named_bank(), blendshapes=rand(0, "shapes", 4, len(NAMES)))
    distances = np.asarray(bank.blendshapes, np.float64) - shapes_of(preset)
    expected = softmax(-np.square(distances[:, 1:]).sum(1) / temperature**2)
    weights = PresetMatcher(bank, temperature).match(preset)
    assert np.allclose(weights, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("preset", "synonym"), [(p, word) for p, words in SYNONYMS.items() for word in words]
)
@pytest.mark.parametrize("form", ["{}", "a very {}, tall face", "{}!"])
def test_synonyms_mean_their_preset(preset: str, synonym: str, form: str) -> None:
    matcher = PresetMatcher(preset_bank())
    text = form.format(synonym)
    assert torch.equal(matcher.match(text), matcher.match(preset))
    assert torch.equal(matcher.match(text.upper()), matcher.match(preset))


def test_no_word_means_two_presets() -> None:
    words = [*PRESETS, *(word for words in SYNONYMS.values() for word in words)]
    assert len(words) == len(set(words))
    assert set(SYNONYMS) <= set(PRESETS)


@pytest.mark.parametrize("text", ["quixotic", "joyfulness", "", "…"])
def test_an_unknown_word_lists_the_presets(text: str) -> None:
    with pytest.raises(InputError) as error:
        PresetMatcher(preset_bank()).match(text)
    assert all(preset in str(error.value) for preset in PRESETS)
    assert f"'{text}'" in str(error.value)


def test_a_bank_without_blendshapes_has_no_presets() -> None:
    with pytest.raises(InputError, match="no blendshapes"):
        PresetMatcher(named_bank())


@pytest.mark.parametrize(
    ("text", "entry"),
    [("joyful", "joyful"), ("a very Joyful look", "joyful"), ("happy", "joyful"), ("sad", "sad")],
)
def test_words_find_the_entry_that_is_called_so(text: str, entry: str) -> None:
    bank = named_bank()
    assert WordMatcher(bank).match(text).tolist() == [float(n == entry) for n in bank.names]


def test_entries_that_share_most_words_weigh_the_same() -> None:
    names = ("wide smile", "smile", "smile wide open")
    bank = Bank(names=names, features=torch.eye(3))
    assert WordMatcher(bank).match("wide smile").tolist() == [0.5, 0, 0.5]


def test_words_that_no_entry_has_are_named_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"called 'quixotic'.*joyful.*sad"):
        WordMatcher(named_bank()).match("quixotic")


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
@pytest.mark.parametrize("kind", KINDS)
def test_a_temperature_is_above_zero(kind: str, temperature: float) -> None:
    with pytest.raises(InputError, match="Temperature: expected"):
        matcher_of(kind, preset_bank(), temperature)


@pytest.mark.parametrize("temperature", [1e-30, 1e-20, 1e-5, 1e5, 1e30])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_sum_to_one_at_any_temperature(kind: str, temperature: float) -> None:
    bank = replace(preset_bank(), blendshapes=rand(0, "shapes", len(PRESETS), len(NAMES)))
    weights = matcher_of(kind, bank, temperature).match("joy")
    assert torch.isclose(weights.sum(), torch.tensor(1.0))
