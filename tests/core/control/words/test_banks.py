"""Banks are built of images and signals, saved and read."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from helpers.banks import WIDTH, StubClip, WholeImageFinder, named_bank, references
from helpers.formula import rand, randn
from safetensors.torch import save_file
from torch import Tensor

from actalker_core.control.signals import ExpressionSignal, Signals, save_signals
from actalker_core.control.words.bank import (
    Bank,
    EncodeFaces,
    Reference,
    build_bank,
    extract_bank,
    load_bank,
    read_references,
    save_bank,
)
from actalker_core.control.words.clip import CLIPEncoder
from actalker_core.errors import FaceError, InputError, MediaError
from actalker_core.faces.blendshapes import NAMES
from actalker_core.faces.box import image_box
from actalker_core.faces.face import Face, SearchDepth
from actalker_core.faces.landmarker import Landmarker
from actalker_core.files.archive import write_archive
from actalker_core.media import save_image


class LandmarkFinder(Landmarker):
    """As `WholeImageFinder` with landmarks, whose blendshapes are all their first number."""

    def __init__(self) -> None:
        self.blendshapes = lambda landmarks: np.repeat(landmarks[:, 0, :1], len(NAMES), axis=1)

    def find(self, image: Tensor, depth: SearchDepth = "all") -> list[Face]:
        value = float(image.mean())
        landmarks = np.full((478, 3), value, np.float32)
        return [Face(image_box(image.shape[2], image.shape[1]), 1.0, landmarks)]


# Building ----------------------------------------------------------------------------------------


def test_features_are_those_of_the_encoder(encode_faces: EncodeFaces) -> None:
    entries = references("a", "b")
    bank = build_bank(entries, encode_faces, WholeImageFinder())
    assert bank.names == ("a", "b")
    assert (bank.image_embeddings, bank.blendshapes, bank.captions, bank.clip_fingerprint) == (
        None,
        None,
        (),
        "",
    )
    for row, reference in zip(bank.features, entries, strict=True):
        features = encode_faces([reference.image], [(0, 0, 64, 40)])
        assert torch.equal(row, features[0])


def test_captions_and_embeddings_are_kept(encode_faces: EncodeFaces, clip: CLIPEncoder) -> None:
    bank = build_bank(references("a", "b", caption="joy"), encode_faces, WholeImageFinder(), clip)
    assert bank.captions == ("joy a", "joy b")
    assert bank.image_embeddings.shape == (2, WIDTH)
    assert not torch.allclose(bank.image_embeddings[0], bank.image_embeddings[1])
    assert bank.clip_fingerprint == clip.fingerprint


def test_clip_sees_the_head_around_the_face(encode_faces: EncodeFaces) -> None:
    stub = StubClip()  # 48 pixels for a face of 64 enlarged to 96
    build_bank([Reference("white", torch.ones(3, 64, 64))], encode_faces, WholeImageFinder(), stub)
    expected = F.pad(torch.ones(1, 3, 32, 32), (8, 8, 8, 8))
    assert torch.allclose(stub.images[0], expected)


def test_a_landmarker_adds_blendshapes(encode_faces: EncodeFaces) -> None:
    entries = references("a", "b")
    bank = build_bank(entries, encode_faces, LandmarkFinder())
    expected = torch.stack([r.image.mean().expand(len(NAMES)) for r in entries])
    assert torch.allclose(bank.blendshapes, expected)


def test_progress_counts_images(encode_faces: EncodeFaces) -> None:
    done: list[int] = []
    build_bank(
        iter(references("a", "b")), encode_faces, WholeImageFinder(), on_reference=done.append
    )
    assert done == [1, 2]


def test_captions_are_for_all_or_for_none(encode_faces: EncodeFaces) -> None:
    entries = [*references("a", "b"), *references("c", caption="joy")]
    with pytest.raises(InputError, match=r"no caption for a, b\."):
        build_bank(entries, encode_faces, WholeImageFinder())


def test_an_image_without_a_face_is_named(encode_faces: EncodeFaces) -> None:
    entries = [*references("a"), Reference("night", torch.zeros(3, 40, 64))]
    with pytest.raises(FaceError, match="night"):
        build_bank(entries, encode_faces, WholeImageFinder())


def test_a_bank_needs_an_image(encode_faces: EncodeFaces) -> None:
    with pytest.raises(InputError, match="at least one"):
        build_bank([], encode_faces, WholeImageFinder())


def test_images_of_a_folder_come_in_order_with_captions(tmp_path: Path) -> None:
    values = {"c.png": 0.2, "a.png": 0.4, "b.PNG": 0.6}
    for name, value in values.items():
        save_image(tmp_path / name, torch.full((3, 8, 8), value))
    (tmp_path / "a.txt").write_text("  ein fröhliches Gesicht\n", encoding="utf-8")
    (tmp_path / "notes.md").write_text("no image")
    entries = list(read_references(tmp_path))
    assert [r.name for r in entries] == ["a", "b", "c"]
    assert [r.caption for r in entries] == ["ein fröhliches Gesicht", "", ""]
    assert [round(r.image.mean().item(), 1) for r in entries] == [0.4, 0.6, 0.2]


@pytest.mark.parametrize("folder", ["missing", "empty"])
def test_a_folder_without_images_is_named(tmp_path: Path, folder: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "joy.txt").write_text("a caption")
    with pytest.raises(MediaError, match=folder):
        read_references(tmp_path / folder)


def test_an_image_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "joy.png").write_bytes(b"no image")
    with pytest.raises(MediaError, match=r"joy\.png"):
        list(read_references(tmp_path))


def test_a_caption_in_another_encoding_is_named(tmp_path: Path) -> None:
    save_image(tmp_path / "joy.png", torch.ones(3, 8, 8))
    (tmp_path / "joy.txt").write_bytes("fröhlich".encode("latin-1"))
    with pytest.raises(MediaError, match=r"joy\.txt"):
        list(read_references(tmp_path))


def test_moments_of_a_signal_become_entries() -> None:
    signal = ExpressionSignal(rate_hz=10.0, source="", features=randn(0, "signal", 30, 7))
    bank = extract_bank(signal, {0.0: "neutral", 1.2: "joyful", 2.9: "sad", 0.52: "tired"})
    assert bank.names == bank.captions == ("neutral", "joyful", "sad", "tired")
    assert torch.equal(bank.features, signal.features[[0, 12, 29, 5]])


@pytest.mark.parametrize("seconds", [0.0, 1.0, 2.94, 2.96, 2.999])
def test_every_time_within_a_signal_is_taken(seconds: float) -> None:
    signal = ExpressionSignal(rate_hz=10.0, source="", features=randn(0, "signal", 30, 7))
    assert len(extract_bank(signal, {seconds: "joyful"})) == 1


@pytest.mark.parametrize("seconds", [-1.0, -0.04, 3.0, 60.0, float("inf"), float("nan")])
def test_a_time_outside_a_signal_is_refused(seconds: float) -> None:
    signal = ExpressionSignal(rate_hz=10.0, source="", features=randn(0, "signal", 30, 7))
    with pytest.raises(InputError, match=rf"below 3 s.*{seconds:g}"):
        extract_bank(signal, {0.0: "neutral", seconds: "joyful"})


def test_a_bank_of_a_signal_needs_a_moment() -> None:
    signal = ExpressionSignal(rate_hz=10.0, source="", features=torch.ones(30, 7))
    with pytest.raises(InputError, match="captions"):
        extract_bank(signal, {})


# Keeping -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part",
    [
        {"features": torch.ones(2, 7)},
        {"image_embeddings": torch.ones(3, 8)},
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
    bank = Bank(names, torch.eye(4), blendshapes=shapes, captions=captions)
    assert bank.neutral_index == expected


FULL = Bank(
    names=("übermütig", "sad; “really”"),
    features=randn(0, "features", 2, 7),
    image_embeddings=randn(0, "images", 2, WIDTH),
    blendshapes=rand(0, "shapes", 2, len(NAMES)),
    captions=("joy", "a\nsad face"),
    clip_fingerprint="24:abc",
)


@pytest.mark.parametrize(
    "bank",
    [
        FULL,
        replace(FULL, image_embeddings=None, clip_fingerprint=""),
        replace(FULL, blendshapes=None, captions=()),
        Bank(FULL.names, FULL.features),
    ],
)
def test_a_saved_bank_comes_back(tmp_path: Path, bank: Bank) -> None:
    save_bank(tmp_path / "new" / "bank.safetensors", bank)
    result = load_bank(tmp_path / "new" / "bank.safetensors")
    for name in ("names", "captions", "clip_fingerprint"):
        assert getattr(result, name) == getattr(bank, name)
    for name in ("features", "image_embeddings", "blendshapes"):
        before, after = getattr(bank, name), getattr(result, name)
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


@pytest.mark.parametrize("kind", WRONG_FILES)
def test_a_file_that_is_no_bank_is_named(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "bank.safetensors"
    WRONG_FILES[kind](path)
    with pytest.raises(MediaError, match=re.escape(str(path))):
        load_bank(path)


def test_a_raw_bank_is_read(tmp_path: Path) -> None:
    write_raw(tmp_path / "bank.safetensors")
    assert load_bank(tmp_path / "bank.safetensors").names == ("a",)


@pytest.mark.parametrize("place", ["file/bank.safetensors", "folder"])
def test_a_bank_that_cannot_be_written_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    with pytest.raises(MediaError, match=re.escape(str(tmp_path / place))):
        save_bank(tmp_path / place, FULL)


def test_a_caption_is_no_book(tmp_path: Path) -> None:
    (tmp_path / "joy.txt").write_text("a" * 1_000_000)
    save_image(tmp_path / "joy.png", torch.zeros(3, 20, 20))
    with pytest.raises(InputError, match=r"joy\.txt 'aaa.* at most 250,000 characters"):
        list(read_references(tmp_path))
