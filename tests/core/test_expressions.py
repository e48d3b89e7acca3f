"""Words become expressions: banks, CLIP, presets and prompts over time."""

import json
import re
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from formula import filled, rand, randn
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from actalker_core.archive import write_archive
from actalker_core.config import VARIANTS
from actalker_core.encoders.motion import HeadExpression, encode_expression
from actalker_core.errors import CheckpointError, FaceError, InputError, MediaError
from actalker_core.expressions.bank import (
    Bank,
    Reference,
    bank_of_signal,
    build_bank,
    load_bank,
    references_in,
    save_bank,
)
from actalker_core.expressions.clip import Clip
from actalker_core.expressions.presets import PRESETS, SYNONYMS
from actalker_core.expressions.prompt import (
    TEMPLATE,
    ClipMatcher,
    Matcher,
    Moment,
    PresetMatcher,
    WordMatcher,
    express,
    parse_prompt,
)
from actalker_core.faces.blendshapes import NAMES
from actalker_core.faces.box import Box, whole
from actalker_core.faces.face import Face
from actalker_core.faces.landmarker import Landmarker
from actalker_core.media import save_image
from actalker_core.signals import ExpressionSignal, Signals, save_signals

WIDTH = 24
PICTURE_PX = 32
WORDS = ("neutral", "joyful", "surprised", "sad")
FPS = 12.5

Floats = NDArray[np.float64]

# Making CLIPs and banks --------------------------------------------------------------------------


def write_clip(folder: Path, seed: int = 0, dtype: torch.dtype = torch.float32) -> Path:
    """A CLIP of made weights that reads lower-case letters."""
    letters = [chr(code) for code in range(33, 127)]
    tokens = [*letters, *(f"{x}</w>" for x in letters), "<|startoftext|>", "<|endoftext|>"]
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    tower |= {"num_attention_heads": 4}
    start, end = len(tokens) - 2, len(tokens) - 1
    text = tower | {"vocab_size": len(tokens), "bos_token_id": start, "eos_token_id": end}
    config = CLIPConfig(
        text_config=text | {"pad_token_id": end},
        vision_config=tower | {"image_size": PICTURE_PX, "patch_size": 8},
        projection_dim=WIDTH,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        CLIPModel(config).to(dtype).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return folder


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "tiny")


@pytest.fixture(scope="module")
def clip(clip_folder: Path) -> Clip:
    return Clip(clip_folder)


@pytest.fixture
def own_folder(clip_folder: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(clip_folder, tmp_path / "clip"))


@pytest.fixture(scope="module")
def network() -> HeadExpression:
    return filled(HeadExpression(VARIANTS["tiny"].expression_encoder), 1)


class StubClip:
    """Embeds texts by a formula of their letters, and shows which pictures it was given."""

    image_px = 48

    def __init__(self, width: int = WIDTH, fingerprint: str = "stub", gap: float = 0.0) -> None:
        self.width, self.fingerprint, self.gap = width, fingerprint, gap
        self.seen: list[Tensor] = []

    def text(self, texts: list[str]) -> Tensor:
        return torch.stack([randn(1, text, self.width) for text in texts]) + self.gap

    def image(self, pictures: Tensor) -> Tensor:
        self.seen.append(pictures)
        return pictures.mean((2, 3)).repeat(1, self.width // 3)


class Named:
    """Gives all weight to the entry of that name."""

    def __init__(self, bank: Bank) -> None:
        self.names = bank.names

    def weights(self, text: str) -> Tensor:
        return F.one_hot(torch.tensor(self.names.index(text)), len(self.names)).float()


class WholePicture:
    """Sees one face that fills each picture, and none in a black one."""

    def find(self, picture: Tensor, deep: bool = True) -> list[Face]:
        box = whole(picture.shape[2], picture.shape[1])
        return [Face(box, 1.0)] if picture.any() else []

    def find_near(self, picture: Tensor, box: Box) -> Face | None:
        return next(iter(self.find(picture)), None)


class MeshedPicture(Landmarker):
    """The same with landmarks, whose blendshapes are all their first number."""

    def __init__(self) -> None:
        self.blendshapes = lambda landmarks: np.repeat(landmarks[:, 0, :1], len(NAMES), axis=1)

    def find(self, picture: Tensor, deep: bool = True) -> list[Face]:
        value = float(picture.mean())
        landmarks = np.full((478, 3), value, np.float32)
        return [Face(whole(picture.shape[2], picture.shape[1]), 1.0, landmarks)]


def phrases(words: tuple[str, ...] | list[str]) -> list[str]:
    return [TEMPLATE.format(word) for word in words]


def shapes_of(preset: str) -> list[float]:
    return [PRESETS[preset].get(name, 0.0) for name in NAMES]


def preset_bank() -> Bank:
    """The presets themselves, as far from each other as can be."""
    shapes = torch.tensor([shapes_of(preset) for preset in PRESETS])
    return Bank(tuple(PRESETS), torch.eye(len(PRESETS)), blendshapes=shapes)


def named_bank(names: tuple[str, ...] = WORDS) -> Bank:
    return Bank(names, torch.eye(len(names)), captions=names)


def softmax(x: Floats) -> Floats:
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


def matched(t: Tensor, others: Tensor, known: Tensor, temperature: float) -> Floats:
    """softmax(cos(t − m, e − e̅) / temperature)."""
    a = np.asarray(t - others.mean(0), np.float64)
    e = np.asarray(known - known.mean(0), np.float64)
    cosines = e @ a / np.linalg.norm(e, axis=1) / np.linalg.norm(a)
    return softmax(cosines / temperature)


# CLIP --------------------------------------------------------------------------------------------


def test_sizes_come_from_the_folder(clip: Clip) -> None:
    assert (clip.width, clip.image_px) == (WIDTH, PICTURE_PX)


def test_both_towers_embed_as_transformers_does(clip: Clip, clip_folder: Path) -> None:
    pictures, texts = rand(0, "pictures", 2, 3, PICTURE_PX, PICTURE_PX), ["joy", "a sad face"]
    mean, std = (torch.tensor(v)[:, None, None] for v in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD))
    words = CLIPTokenizer.from_pretrained(clip_folder)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        model = CLIPModel.from_pretrained(clip_folder).eval()
        expected = model(pixel_values=(pictures - mean) / std, **words)
    assert torch.allclose(clip.image(pictures), expected.image_embeds, atol=1e-5)
    assert torch.allclose(clip.text(texts), expected.text_embeds, atol=1e-5)


def test_embeddings_have_length_one(clip: Clip) -> None:
    found = [clip.text(["joy", "anger"]), clip.image(rand(0, "p", 2, 3, PICTURE_PX, PICTURE_PX))]
    assert all(torch.allclose(e.norm(dim=1), torch.ones(2), atol=1e-5) for e in found)


def test_texts_do_not_depend_on_their_neighbours(clip: Clip) -> None:
    together = clip.text(["joy", "a face that is a good deal longer"])
    assert torch.allclose(together[:1], clip.text(["joy"]), atol=1e-5)
    assert not torch.allclose(together[0], together[1], atol=1e-2)


def test_a_long_text_is_cut_short(clip: Clip) -> None:
    assert torch.allclose(clip.text(["ab" * 200]), clip.text(["ab" * 300]))


def test_nothing_is_fetched(clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: asked.append(args) or [])
    monkeypatch.setattr(socket.socket, "connect", lambda _, where: asked.append(where))
    Clip(clip_folder).text(["joy"])
    assert asked == []


def cut_in_half(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    file = folder / "model.safetensors"
    weights = {name: value.clone() for name, value in load_file(file).items()}
    save_file(change(weights), file, {"format": "pt"})


def without_a_layer(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k: v for k, v in weights.items() if not k.startswith("text_model.encoder.layers.1")}


def another_model(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text()) | {"model_type": "bert"}
    (folder / "config.json").write_text(json.dumps(config))
    rewrite(folder, lambda _: {"encoder.layer.0.output.dense.weight": torch.ones(2, 2)})


def no_tokenizer(folder: Path) -> None:
    (folder / "vocab.json").unlink()
    (folder / "merges.txt").unlink()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no folder": shutil.rmtree,
    "no config": lambda folder: (folder / "config.json").unlink(),
    "config is no json": lambda folder: (folder / "config.json").write_text("{"),
    "config is a list": lambda folder: (folder / "config.json").write_text("[]"),
    "no weights": lambda folder: (folder / "model.safetensors").unlink(),
    "empty weights": lambda folder: (folder / "model.safetensors").write_bytes(b""),
    "junk weights": lambda folder: (folder / "model.safetensors").write_bytes(b"junk" * 9),
    "half of the weights": cut_in_half,
    "weights without a layer": lambda folder: rewrite(folder, without_a_layer),
    "weights of something else": lambda folder: rewrite(folder, lambda _: {"x": torch.ones(2)}),
    "weights of another size": lambda folder: rewrite(
        folder, lambda weights: weights | {"text_projection.weight": torch.ones(5, 5)}
    ),
    "another model": another_model,
    "no tokenizer": no_tokenizer,
    "no merges": lambda folder: (folder / "merges.txt").unlink(),
    "junk vocabulary": lambda folder: (folder / "vocab.json").write_text("{"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_folder_without_a_whole_clip_is_named(own_folder: Path, damage: str) -> None:
    DAMAGES[damage](own_folder)
    with pytest.raises(CheckpointError, match=re.escape(str(own_folder))):
        Clip(own_folder)


def test_the_fingerprint_is_that_of_the_weights(clip: Clip, own_folder: Path) -> None:
    assert Clip(own_folder).fingerprint == clip.fingerprint


@pytest.mark.parametrize(
    "part",
    [
        "text_projection.weight",
        "visual_projection.weight",
        "text_model.encoder.layers.0.mlp.fc1.weight",
        "vision_model.encoder.layers.0.mlp.fc1.weight",
    ],
)
def test_other_weights_have_another_fingerprint(clip: Clip, own_folder: Path, part: str) -> None:
    rewrite(own_folder, lambda weights: weights | {part: weights[part] + 1})
    assert Clip(own_folder).fingerprint != clip.fingerprint


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("by", ["captions", "pictures"])
def test_a_clip_saved_in_half_precision_serves(
    tmp_path: Path, dtype: torch.dtype, by: str, network: HeadExpression
) -> None:
    half = Clip(write_clip(tmp_path / "half", dtype=dtype))
    shown = [Reference(w, rand(0, w, 3, 16, 16), w if by == "captions" else "") for w in WORDS]
    bank = build_bank(shown, network, WholePicture(), half)
    signal = express(parse_prompt("joy"), bank, ClipMatcher(bank, half), seconds=1, rate_hz=2)
    assert signal.features.dtype == torch.float32


# Matching by CLIP --------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.03, 0.1, 1.0])
@pytest.mark.parametrize("text", ["joyful", "something else"])
def test_captions_are_matched_as_documented(text: str, temperature: float) -> None:
    stub = StubClip()
    known = stub.text(phrases(WORDS))
    found = ClipMatcher(named_bank(), stub, temperature).weights(text)
    expected = matched(stub.text(phrases([text]))[0], known, known, temperature)
    assert np.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("temperature", [0.03, 0.1, 1.0])
@pytest.mark.parametrize("text", ["joyful", "something else"])
def test_pictures_are_matched_as_documented(text: str, temperature: float) -> None:
    stub, images = StubClip(), randn(0, "images", 4, WIDTH)
    bank = Bank(WORDS, torch.eye(4), images=images, clip=stub.fingerprint)
    found = ClipMatcher(bank, stub, temperature).weights(text)
    others = stub.text(phrases(list(PRESETS)))
    expected = matched(stub.text(phrases([text]))[0], others, images, temperature)
    assert np.allclose(found, expected, atol=1e-5)


def test_a_real_clip_is_matched_as_documented(clip: Clip) -> None:
    known = clip.text(phrases(WORDS))
    found = ClipMatcher(named_bank(), clip).weights("happy")
    expected = matched(clip.text(phrases(["happy"]))[0], known, known, 0.1)
    assert np.allclose(found, expected, atol=1e-3)


def test_captions_go_before_pictures() -> None:
    stub = StubClip()
    shown = replace(named_bank(), images=randn(0, "images", 4, WIDTH), clip=stub.fingerprint)
    of_both, of_captions = (ClipMatcher(b, stub).weights("joyful") for b in (shown, named_bank()))
    assert torch.equal(of_both, of_captions)


def test_where_pictures_and_texts_crowd_does_not_matter() -> None:
    images = randn(0, "images", 4, WIDTH)
    banks = [Bank(WORDS, torch.eye(4), images=images + far, clip="stub") for far in (0.0, 3.0)]
    near = ClipMatcher(banks[0], StubClip()).weights("joyful")
    apart = ClipMatcher(banks[1], StubClip(gap=-3.0)).weights("joyful")
    assert torch.allclose(near, apart, atol=1e-4)


@pytest.mark.parametrize("word", WORDS)
def test_a_caption_finds_itself(clip: Clip, word: str) -> None:
    weights = ClipMatcher(named_bank(), clip).weights(word)
    assert weights.argmax() == WORDS.index(word)
    assert torch.isclose(weights.sum(), torch.tensor(1.0))


def test_a_lower_temperature_chooses_fewer() -> None:
    most = [
        ClipMatcher(named_bank(), StubClip(), t).weights("joyful").max().item()
        for t in (1.0, 0.3, 0.1, 0.01)
    ]
    assert most == sorted(most)
    assert most[-1] == pytest.approx(1)


def test_one_entry_gets_all_the_weight() -> None:
    assert ClipMatcher(named_bank(("joyful",)), StubClip()).weights("sad").tolist() == [1.0]


@pytest.mark.parametrize(("theirs", "ours"), [(768, 1024), (1024, 768), (768, 768)])
def test_towers_of_different_clips_are_named(theirs: int, ours: int) -> None:
    indexed, asked = f"{theirs}:indexed", f"{ours}:asked"
    bank = Bank(WORDS, torch.eye(4), images=randn(0, "images", 4, theirs), clip=indexed)
    with pytest.raises(InputError, match=rf"{theirs}.*{indexed}.*{ours}.*{asked}"):
        ClipMatcher(bank, StubClip(ours, asked))


def test_a_real_clip_of_the_same_width_is_refused(clip: Clip, tmp_path: Path) -> None:
    other = Clip(write_clip(tmp_path / "other", seed=1))
    bank = Bank(WORDS, torch.eye(4), images=torch.ones(4, WIDTH), clip=other.fingerprint)
    with pytest.raises(InputError, match=rf"{other.fingerprint}.*{clip.fingerprint}"):
        ClipMatcher(bank, clip)


def test_a_bank_that_clip_cannot_compare_is_refused() -> None:
    with pytest.raises(InputError, match="neither captions nor CLIP embeddings"):
        ClipMatcher(Bank(WORDS, torch.eye(4)), StubClip())


# Presets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_made_of_blendshapes(preset: str) -> None:
    assert set(PRESETS[preset]) <= set(NAMES[1:])
    assert all(0 < value <= 1 for value in PRESETS[preset].values())


@pytest.mark.parametrize("temperature", [None, 0.1, 1.0])
@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_finds_itself(preset: str, temperature: float | None) -> None:
    chosen = {} if temperature is None else {"temperature": temperature}
    weights = PresetMatcher(preset_bank(), **chosen).weights(preset)
    assert weights.argmax() == list(PRESETS).index(preset)
    assert torch.isclose(weights.sum(), torch.tensor(1.0))


@pytest.mark.parametrize("temperature", [0.1, 0.25, 1.0])
@pytest.mark.parametrize("preset", ["neutral", "joy", "contempt"])
def test_presets_are_matched_as_documented(preset: str, temperature: float) -> None:
    bank = replace(named_bank(), blendshapes=rand(0, "shapes", 4, len(NAMES)))
    apart = np.asarray(bank.blendshapes, np.float64) - shapes_of(preset)
    expected = softmax(-np.square(apart[:, 1:]).sum(1) / temperature**2)
    found = PresetMatcher(bank, temperature).weights(preset)
    assert np.allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("preset", "synonym"), [(p, word) for p, words in SYNONYMS.items() for word in words]
)
@pytest.mark.parametrize("form", ["{}", "a very {}, tall face", "{}!"])
def test_synonyms_mean_their_preset(preset: str, synonym: str, form: str) -> None:
    matcher = PresetMatcher(preset_bank())
    text = form.format(synonym)
    assert torch.equal(matcher.weights(text), matcher.weights(preset))
    assert torch.equal(matcher.weights(text.upper()), matcher.weights(preset))


def test_no_word_means_two_presets() -> None:
    words = [*PRESETS, *(word for words in SYNONYMS.values() for word in words)]
    assert len(words) == len(set(words))
    assert set(SYNONYMS) <= set(PRESETS)


@pytest.mark.parametrize("text", ["quixotic", "joyfulness", "", "…"])
def test_an_unknown_word_lists_the_presets(text: str) -> None:
    with pytest.raises(InputError) as caught:
        PresetMatcher(preset_bank()).weights(text)
    assert all(preset in str(caught.value) for preset in PRESETS)
    assert f"'{text}'" in str(caught.value)


def test_a_bank_without_blendshapes_has_no_presets() -> None:
    with pytest.raises(InputError, match="no blendshapes"):
        PresetMatcher(named_bank())


@pytest.mark.parametrize(
    ("text", "found"),
    [("joyful", "joyful"), ("a very Joyful look", "joyful"), ("happy", "joyful"), ("sad", "sad")],
)
def test_words_find_the_entry_that_is_called_so(text: str, found: str) -> None:
    bank = named_bank()
    assert WordMatcher(bank).weights(text).tolist() == [float(n == found) for n in bank.names]


def test_entries_that_share_most_words_weigh_the_same() -> None:
    names = ("wide smile", "smile", "smile wide open")
    bank = Bank(names=names, features=torch.eye(3))
    assert WordMatcher(bank).weights("wide smile").tolist() == [0.5, 0, 0.5]


def test_words_that_no_entry_has_are_named_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"called 'quixotic'.*joyful.*sad"):
        WordMatcher(named_bank()).weights("quixotic")


def matcher_of(kind: str, bank: Bank, temperature: float) -> Matcher:
    if kind == "clip":
        return ClipMatcher(replace(bank, captions=bank.names), StubClip(), temperature)
    return PresetMatcher(bank, temperature)


KINDS = ("clip", "preset")


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
@pytest.mark.parametrize("kind", KINDS)
def test_a_temperature_is_above_zero(kind: str, temperature: float) -> None:
    with pytest.raises(InputError, match="above 0"):
        matcher_of(kind, preset_bank(), temperature)


@pytest.mark.parametrize("temperature", [1e-30, 1e-20, 1e-5, 1e5, 1e30])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_sum_to_one_at_any_temperature(kind: str, temperature: float) -> None:
    bank = replace(preset_bank(), blendshapes=rand(0, "shapes", len(PRESETS), len(NAMES)))
    weights = matcher_of(kind, bank, temperature).weights("joy")
    assert torch.isclose(weights.sum(), torch.tensor(1.0))


# Expressions -------------------------------------------------------------------------------------


def said(text: str, bank: Bank, matcher: Matcher, strength: float = 1.0) -> Tensor:
    prompt = parse_prompt(text)
    return express(prompt, bank, matcher, seconds=6, rate_hz=FPS, strength=strength).features


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [0.01, 0.1, 0.25])
@pytest.mark.parametrize("word", [preset for preset in PRESETS if preset != "neutral"])
def test_strength_leads_to_the_named_entry(kind: str, temperature: float, word: str) -> None:
    bank = preset_bank()
    matcher = matcher_of(kind, bank, temperature)
    aim = bank.features[bank.names.index(word)]
    away = [
        (said(word, bank, matcher, strength)[0] - aim).norm().item()
        for strength in np.linspace(0, 1, 11)
    ]
    assert all(b < a for a, b in pairwise(away))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", ["joy", "0s: joy; 2s: sadness; 5s: neutral"])
def test_strength_zero_is_neutral_at_every_time(kind: str, text: str) -> None:
    bank = replace(preset_bank(), features=randn(0, "features", len(PRESETS), 7))
    features = said(text, bank, matcher_of(kind, bank, 0.25), strength=0)
    assert torch.equal(features, bank.features[bank.neutral].expand(75, -1))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [1e-2, 1e-4, 1e-8])
@pytest.mark.parametrize("word", PRESETS)
def test_a_sharp_choice_is_the_entry_itself(kind: str, temperature: float, word: str) -> None:
    bank = replace(preset_bank(), features=randn(0, "features", len(PRESETS), 7))
    features = said(word, bank, matcher_of(kind, bank, temperature))
    aim = bank.features[bank.names.index(word)]
    assert torch.allclose(features, aim.expand(75, -1), atol=1e-5)


@pytest.mark.parametrize("strength", [-0.5, 0.3, 1.0, 2.5])
def test_strength_is_a_share_of_the_way_from_neutral(strength: float) -> None:
    bank = replace(named_bank(), features=randn(0, "features", 4, 7))
    neutral, _, _, sad = bank.features
    expected = neutral + strength * (sad - neutral)
    assert torch.allclose(said("sad", bank, Named(bank), strength)[0], expected, atol=1e-5)


@pytest.mark.parametrize("neutral", ["neutral", " Neutral ", "0s: neutral", "NEUTRAL"])
def test_neutral_is_the_neutral_entry_and_no_mixture(neutral: str) -> None:
    bank = replace(preset_bank(), features=randn(0, "features", len(PRESETS), 7))
    features = said(neutral, bank, PresetMatcher(bank, 10.0))
    assert torch.equal(features[0], bank.features[0])


@pytest.mark.parametrize("rate_hz", [12.5, 25.0, 30.0, 5.0])
def test_words_are_reached_at_their_times(rate_hz: float) -> None:
    bank = replace(named_bank(), features=randn(0, "features", 4, 7))
    prompt = parse_prompt("0s: neutral; 2s: joyful; 4s: surprised")
    signal = express(prompt, bank, Named(bank), seconds=6, rate_hz=rate_hz, strength=0.7)
    assert (len(signal), signal.rate_hz) == (round(6 * rate_hz), rate_hz)
    for seconds, word in ((0, "neutral"), (2, "joyful"), (4, "surprised"), (5, "surprised")):
        exact = said(word, bank, Named(bank), strength=0.7)[0]
        assert torch.equal(signal.features[round(seconds * rate_hz)], exact)


def test_between_words_the_change_is_even() -> None:
    bank = replace(named_bank(), features=randn(0, "features", 4, 7))
    features = said("1s: joyful; 3s: sad", bank, Named(bank))
    times = torch.arange(75) / FPS
    share = ((times - 1) / 2).clamp(0, 1)[:, None]
    _, joyful, _, sad = bank.features
    assert torch.allclose(features, joyful + share * (sad - joyful), atol=1e-5)


def test_outside_the_words_they_hold() -> None:
    bank = named_bank()
    features = said("2s: joyful; 4s: sad", bank, Named(bank))
    assert torch.equal(features[:26], features[:1].expand(26, -1))
    assert torch.equal(features[50:], features[-1:].expand(25, -1))
    assert not torch.equal(features[0], features[-1])


def test_a_time_between_two_values_is_passed_evenly() -> None:
    bank = named_bank()
    prompt = [Moment(0.0, "joyful"), Moment(0.3, "sad"), Moment(1.2, "joyful")]
    features = express(prompt, bank, Named(bank), seconds=2, rate_hz=2).features
    sad = features[:, WORDS.index("sad")]
    assert torch.allclose(sad, torch.tensor([0.0, 0.7 / 0.9, 0.2 / 0.9, 0.0]), atol=1e-6)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.01, 1e15, float("inf"), float("nan")])
def test_a_duration_holds_at_least_one_value_and_ends(seconds: float) -> None:
    bank = named_bank()
    with pytest.raises(InputError):
        express(parse_prompt("sad"), bank, Named(bank), seconds=seconds, rate_hz=FPS)


@pytest.mark.parametrize("strength", [float("nan"), float("inf")])
def test_a_strength_is_a_finite_number(strength: float) -> None:
    with pytest.raises(InputError):
        said("sad", named_bank(), Named(named_bank()), strength)


def test_a_word_that_the_matcher_does_not_know_is_named() -> None:
    bank = preset_bank()
    with pytest.raises(InputError, match="quixotic"):
        said("0s: joy; 1s: quixotic", bank, PresetMatcher(bank))


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
    "marked",
    [
        *("^", "^;", "^;\n;"),
        *("^joyful; sad", "0s: neutral; ^joyful", "0s: neutral\n^joyful", "^smile: wide"),
        *("0s:^", "0s: joyful; 2s:^", "0s: joyful; 2s:^; 3s: sad"),
        *("^x: joyful", "  ^x: joyful", "0s: neutral; ^2x: joyful", "^: joyful", "^s: joyful"),
        *("^-1s: joyful", "^nans: joyful", "^infs: joyful", "^40f: joyful", "0: sad; ^1e999: sad"),
        *("0s: ^neutral, 1s: joyful", "0: ^wide smile, 2.5 : sad"),
        *("1s: joyful; ^1.0: sad", "2s: a; 1s: b;  ^2s: c", "0s: a; ^-0s: b"),
    ],
)
def test_a_prompt_that_cannot_be_read_is_pointed_into(marked: str) -> None:
    prompt, character = marked.replace("^", ""), marked.index("^") + 1
    with pytest.raises(InputError, match=rf"(?s)^Prompt .*at character {character},") as caught:
        parse_prompt(prompt)
    assert f"'{prompt}'" in str(caught.value)


@pytest.mark.parametrize("text", ["   ", "\n\n", " ; "])
def test_a_blank_prompt_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="expected a text"):
        parse_prompt(text)


# Building banks ----------------------------------------------------------------------------------


def references(*names: str, caption: str = "") -> list[Reference]:
    return [Reference(n, rand(0, n, 3, 40, 64), caption and f"{caption} {n}") for n in names]


def test_features_are_those_of_the_encoder(network: HeadExpression) -> None:
    shown = references("a", "b")
    bank = build_bank(shown, network, WholePicture())
    assert bank.names == ("a", "b")
    assert (bank.images, bank.blendshapes, bank.captions, bank.clip) == (None, None, (), "")
    for row, reference in zip(bank.features, shown, strict=True):
        alone = encode_expression(network, [reference.picture], [(0, 0, 64, 40)], rate_hz=1.0)
        assert torch.equal(row, alone.features[0])


def test_captions_and_embeddings_are_kept(network: HeadExpression, clip: Clip) -> None:
    bank = build_bank(references("a", "b", caption="joy"), network, WholePicture(), clip)
    assert bank.captions == ("joy a", "joy b")
    assert bank.images.shape == (2, WIDTH)
    assert not torch.allclose(bank.images[0], bank.images[1])
    assert bank.clip == clip.fingerprint


def test_clip_sees_the_head_around_the_face(network: HeadExpression) -> None:
    stub = StubClip()  # 48 pixels for a face of 64 enlarged to 96
    build_bank([Reference("white", torch.ones(3, 64, 64))], network, WholePicture(), stub)
    expected = F.pad(torch.ones(1, 3, 32, 32), (8, 8, 8, 8))
    assert torch.allclose(stub.seen[0], expected)


def test_a_landmarker_adds_blendshapes(network: HeadExpression) -> None:
    shown = references("a", "b")
    bank = build_bank(shown, network, MeshedPicture())
    expected = torch.stack([r.picture.mean().expand(len(NAMES)) for r in shown])
    assert torch.allclose(bank.blendshapes, expected)


def test_progress_counts_pictures(network: HeadExpression) -> None:
    done: list[int] = []
    build_bank(iter(references("a", "b")), network, WholePicture(), on_reference=done.append)
    assert done == [1, 2]


def test_captions_are_for_all_or_for_none(network: HeadExpression) -> None:
    shown = [*references("a", "b"), *references("c", caption="joy")]
    with pytest.raises(InputError, match=r"no caption for a, b\."):
        build_bank(shown, network, WholePicture())


def test_a_picture_without_a_face_is_named(network: HeadExpression) -> None:
    shown = [*references("a"), Reference("night", torch.zeros(3, 40, 64))]
    with pytest.raises(FaceError, match="night"):
        build_bank(shown, network, WholePicture())


def test_a_bank_needs_a_picture(network: HeadExpression) -> None:
    with pytest.raises(InputError, match="at least one"):
        build_bank([], network, WholePicture())


def test_pictures_of_a_folder_come_in_order_with_captions(tmp_path: Path) -> None:
    values = {"c.png": 0.2, "a.png": 0.4, "b.PNG": 0.6}
    for name, value in values.items():
        save_image(tmp_path / name, torch.full((3, 8, 8), value))
    (tmp_path / "a.txt").write_text("  ein fröhliches Gesicht\n", encoding="utf-8")
    (tmp_path / "notes.md").write_text("no picture")
    found = list(references_in(tmp_path))
    assert [r.name for r in found] == ["a", "b", "c"]
    assert [r.caption for r in found] == ["ein fröhliches Gesicht", "", ""]
    assert [round(r.picture.mean().item(), 1) for r in found] == [0.4, 0.6, 0.2]


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_a_folder_without_pictures_is_named(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "joy.txt").write_text("a caption")
    with pytest.raises(MediaError, match=folder):
        references_in(tmp_path / folder)


def test_a_picture_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "joy.png").write_bytes(b"no picture")
    with pytest.raises(MediaError, match=r"joy\.png"):
        list(references_in(tmp_path))


def test_a_caption_in_another_encoding_is_named(tmp_path: Path) -> None:
    save_image(tmp_path / "joy.png", torch.ones(3, 8, 8))
    (tmp_path / "joy.txt").write_bytes("fröhlich".encode("latin-1"))
    with pytest.raises(MediaError, match=r"joy\.txt"):
        list(references_in(tmp_path))


def test_moments_of_a_signal_become_entries() -> None:
    signal = ExpressionSignal(rate_hz=10.0, source="", features=randn(0, "signal", 30, 7))
    bank = bank_of_signal(signal, {0.0: "neutral", 1.2: "joyful", 2.9: "sad", 0.52: "tired"})
    assert bank.names == bank.captions == ("neutral", "joyful", "sad", "tired")
    assert torch.equal(bank.features, signal.features[[0, 12, 29, 5]])


@pytest.mark.parametrize("seconds", [0.0, 1.0, 2.94, 2.96, 2.999])
def test_every_time_within_a_signal_is_taken(seconds: float) -> None:
    signal = ExpressionSignal(rate_hz=10.0, source="", features=randn(0, "signal", 30, 7))
    assert len(bank_of_signal(signal, {seconds: "joyful"})) == 1


@pytest.mark.parametrize("seconds", [-1.0, -0.04, 3.0, 60.0, float("inf"), float("nan")])
def test_a_time_outside_a_signal_is_refused(seconds: float) -> None:
    signal = ExpressionSignal(rate_hz=10.0, source="", features=randn(0, "signal", 30, 7))
    with pytest.raises(InputError, match=rf"below 3 s.*{seconds:g}"):
        bank_of_signal(signal, {0.0: "neutral", seconds: "joyful"})


def test_a_bank_of_a_signal_needs_a_moment() -> None:
    signal = ExpressionSignal(rate_hz=10.0, source="", features=torch.ones(30, 7))
    with pytest.raises(InputError, match="captions"):
        bank_of_signal(signal, {})


# Banks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part",
    [
        {"features": torch.ones(2, 7)},
        {"images": torch.ones(3, 8)},
        {"blendshapes": torch.ones(5, 52)},
        {"captions": ("joy",)},
        {"names": (), "features": torch.ones(0, 7), "captions": ()},
    ],
)
def test_parts_of_different_lengths_are_refused(part: dict[str, object]) -> None:
    with pytest.raises(InputError, match="at least one"):
        replace(named_bank(), **part)


def with_least(index: int) -> Tensor:
    """Blendshapes of which one face moves least; the first number is no movement."""
    shapes = torch.full((4, len(NAMES)), 0.12)
    shapes[:, 0] = torch.arange(4) == index
    shapes[index, 1:] = 0.1
    return shapes


@pytest.mark.parametrize(
    ("names", "captions", "shapes", "expected"),
    [
        (("a", "b", "neutral", "d"), (), with_least(3), 2),
        (("a", "02_Neutral", "c", "d"), (), None, 1),
        (("a", "b", "c", "d"), ("joy", "sad", "anger", "a neutral look"), with_least(0), 3),
        (("a", "b", "neutral", "d"), ("w", "x", "y", "z"), None, 2),
        (("a", "b", "c", "d"), (), with_least(3), 3),
        (("a", "b", "c", "d"), (), with_least(2), 2),
        (("a", "b", "c", "d"), (), None, 0),
    ],
)
def test_neutral_is_the_entry_so_called_or_the_stillest_or_the_first(
    names: tuple[str, ...], captions: tuple[str, ...], shapes: Tensor | None, expected: int
) -> None:
    assert Bank(names, torch.eye(4), blendshapes=shapes, captions=captions).neutral == expected


FULL = Bank(
    names=("übermütig", "sad; “really”"),
    features=randn(0, "features", 2, 7),
    images=randn(0, "images", 2, WIDTH),
    blendshapes=rand(0, "shapes", 2, len(NAMES)),
    captions=("joy", "a\nsad face"),
    clip="24:abc",
)


@pytest.mark.parametrize(
    "bank",
    [
        FULL,
        replace(FULL, images=None, clip=""),
        replace(FULL, blendshapes=None, captions=()),
        Bank(FULL.names, FULL.features),
    ],
)
def test_a_saved_bank_comes_back(tmp_path: Path, bank: Bank) -> None:
    save_bank(tmp_path / "new" / "bank.safetensors", bank)
    loaded = load_bank(tmp_path / "new" / "bank.safetensors")
    assert (loaded.names, loaded.captions, loaded.clip) == (bank.names, bank.captions, bank.clip)
    for name in ("features", "images", "blendshapes"):
        before, after = getattr(bank, name), getattr(loaded, name)
        assert (after is None) if before is None else torch.equal(before, after)


def write_other_kind(path: Path) -> None:
    features = torch.ones(3, 7)
    signal = ExpressionSignal(rate_hz=10.0, source="", features=features)
    save_signals(path, Signals(expression=signal))


def write_raw(path: Path, **changes: object) -> None:
    """A bank of one entry with parts changed; None leaves them out."""
    parts: dict[str, object] = {
        "features": torch.ones(1, 7),
        "names": '["a"]',
        "captions": "[]",
        "clip": "",
    }
    parts = {k: v for k, v in (parts | changes).items() if v is not None}
    tensors = {k: v for k, v in parts.items() if isinstance(v, Tensor)}
    texts = {k: v for k, v in parts.items() if isinstance(v, str)}
    write_archive(path, "bank", tensors, texts)


def cut(path: Path) -> None:
    save_bank(path, FULL)
    path.write_bytes(path.read_bytes()[:-20])


WRONG_FILES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "a folder": lambda path: path.mkdir(),
    "empty": lambda path: path.write_bytes(b""),
    "junk": lambda path: path.write_bytes(b"junk" * 50),
    "cut short": cut,
    "weights": lambda path: save_file({"features": torch.ones(1, 7)}, path),
    "signals": write_other_kind,
    "no features": lambda path: write_raw(path, features=None),
    "no names": lambda path: write_raw(path, names=None),
    "no clip": lambda path: write_raw(path, clip=None),
    "names are no json": lambda path: write_raw(path, names="a"),
    "names are a number": lambda path: write_raw(path, names="1"),
    "too many names": lambda path: write_raw(path, names='["a", "b"]'),
    "unknown part": lambda path: write_raw(path, smell=torch.ones(1)),
    "another version": lambda path: write_raw(path, version="99"),
}


@pytest.mark.parametrize("wrong", WRONG_FILES)
def test_a_file_that_is_no_bank_is_named(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "bank.safetensors"
    WRONG_FILES[wrong](path)
    with pytest.raises(MediaError, match=re.escape(str(path))):
        load_bank(path)


def test_a_raw_bank_is_read(tmp_path: Path) -> None:
    write_raw(tmp_path / "bank.safetensors")
    assert load_bank(tmp_path / "bank.safetensors").names == ("a",)


@pytest.mark.parametrize("where", ["file/bank.safetensors", "folder"])
def test_a_bank_that_cannot_be_written_is_named(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    with pytest.raises(MediaError, match=re.escape(str(tmp_path / where))):
        save_bank(tmp_path / where, FULL)


# All together ------------------------------------------------------------------------------------


@pytest.mark.parametrize("caption", ["", "a face of"])
def test_pictures_become_a_signal_that_words_drive(
    tmp_path: Path, network: HeadExpression, clip: Clip, caption: str
) -> None:
    path = tmp_path / "bank.safetensors"
    save_bank(path, build_bank(references(*WORDS, caption=caption), network, WholePicture(), clip))
    bank = load_bank(path)
    matcher = ClipMatcher(bank, clip)
    features = said("0s: neutral; 2s: joyful; 4s: sad", bank, matcher)
    assert torch.equal(features[0], bank.features[0])
    assert torch.allclose(features[-1], matcher.weights("sad") @ bank.features, atol=1e-5)
    assert not torch.allclose(features[25], features[-1])
