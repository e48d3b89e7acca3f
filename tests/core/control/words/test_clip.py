"""CLIP embeds texts and images, and says what is wrong with its folder."""

import json
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.banks import IMAGE_PX, WIDTH, WORDS, WholeImageFinder, write_clip
from helpers.formula import rand
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPModel, CLIPTokenizer
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from actalker_core.control.words.bank import EncodeFaces, Reference, build_bank
from actalker_core.control.words.clip import CLIPEncoder
from actalker_core.control.words.matchers import CLIPMatcher
from actalker_core.control.words.prompt import express_words, parse_prompt
from actalker_core.errors import CheckpointError


@pytest.fixture
def own_folder(clip_folder: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(clip_folder, tmp_path / "clip"))


def test_sizes_come_from_the_folder(clip: CLIPEncoder) -> None:
    assert (clip.width, clip.image_px) == (WIDTH, IMAGE_PX)


def test_both_towers_embed_as_transformers_does(clip: CLIPEncoder, clip_folder: Path) -> None:
    images, texts = rand(0, "images", 2, 3, IMAGE_PX, IMAGE_PX), ["joy", "a sad face"]
    mean, std = (torch.tensor(v)[:, None, None] for v in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD))
    words = CLIPTokenizer.from_pretrained(clip_folder)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        model = CLIPModel.from_pretrained(clip_folder).eval()
        expected = model(pixel_values=(images - mean) / std, **words)
    assert torch.allclose(clip.encode_images(images), expected.image_embeds, atol=1e-5)
    assert torch.allclose(clip.encode_texts(texts), expected.text_embeds, atol=1e-5)


def test_embeddings_have_length_one(clip: CLIPEncoder) -> None:
    embeddings = [
        clip.encode_texts(["joy", "anger"]),
        clip.encode_images(rand(0, "p", 2, 3, IMAGE_PX, IMAGE_PX)),
    ]
    assert all(torch.allclose(e.norm(dim=1), torch.ones(2), atol=1e-5) for e in embeddings)


def test_texts_do_not_depend_on_their_neighbours(clip: CLIPEncoder) -> None:
    embeddings = clip.encode_texts(["joy", "a face that is a good deal longer"])
    assert torch.allclose(embeddings[:1], clip.encode_texts(["joy"]), atol=1e-5)
    assert not torch.allclose(embeddings[0], embeddings[1], atol=1e-2)


def test_a_long_text_is_cut_short(clip: CLIPEncoder) -> None:
    assert torch.allclose(clip.encode_texts(["ab" * 200]), clip.encode_texts(["ab" * 300]))


def test_nothing_is_fetched(clip_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: requests.append(args) or [])
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: requests.append(address))
    CLIPEncoder(clip_folder).encode_texts(["joy"])
    assert requests == []


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
        CLIPEncoder(own_folder)


def test_the_fingerprint_is_that_of_the_weights(clip: CLIPEncoder, own_folder: Path) -> None:
    assert CLIPEncoder(own_folder).fingerprint == clip.fingerprint


@pytest.mark.parametrize(
    "part",
    [
        "text_projection.weight",
        "visual_projection.weight",
        "text_model.encoder.layers.0.mlp.fc1.weight",
        "vision_model.encoder.layers.0.mlp.fc1.weight",
    ],
)
def test_other_weights_have_another_fingerprint(
    clip: CLIPEncoder, own_folder: Path, part: str
) -> None:
    rewrite(own_folder, lambda weights: weights | {part: weights[part] + 1})
    assert CLIPEncoder(own_folder).fingerprint != clip.fingerprint


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("by", ["captions", "images"])
def test_a_clip_saved_in_half_precision_serves(
    tmp_path: Path, dtype: torch.dtype, by: str, encode_faces: EncodeFaces
) -> None:
    half = CLIPEncoder(write_clip(tmp_path / "half", dtype=dtype))
    references = [Reference(w, rand(0, w, 3, 16, 16), w if by == "captions" else "") for w in WORDS]
    bank = build_bank(references, encode_faces, WholeImageFinder(), half)
    signal = express_words(parse_prompt("joy"), bank, CLIPMatcher(bank, half), seconds=1, rate_hz=2)
    assert signal.features.dtype == torch.float32
