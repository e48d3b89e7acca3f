"""A bank: expressions to choose from, each with what words can be compared to."""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..archive import read_archive, write_archive
from ..encoders.motion import HeadExpression, encode_expression
from ..errors import InputError, MediaError
from ..faces.box import enlarged, square
from ..faces.face import Face, FaceFinder, choose
from ..faces.landmarker import Landmarker
from ..media import load_image
from ..portrait import crop_resized
from ..signals import ExpressionSignal
from ..text import LONGEST_TEXT, as_text
from .clip import Clip

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
HEAD_ENLARGED = 1.5
"""CLIP sees the face box enlarged so many times."""
NEUTRAL = "neutral"
PARTS = ("features", "images", "blendshapes")


@dataclass(frozen=True)
class Bank:
    """n reference expressions.

    Attributes:
        names: of each.
        features: (n, d) expression features, before the expression projection.
        images: (n, e) CLIP embeddings of the pictures, or None.
        blendshapes: (n, 52) in 0…1, or None.
        captions: a text for each, or none at all.
        clip: fingerprint of the CLIP that made the embeddings, or "".
    """

    names: tuple[str, ...]
    features: Tensor
    images: Tensor | None = None
    blendshapes: Tensor | None = None
    captions: tuple[str, ...] = ()
    clip: str = ""

    def __post_init__(self) -> None:
        """Refuse parts of different lengths."""
        parts = (self.names, self.features, self.images, self.blendshapes, self.captions or None)
        lengths = {len(part) for part in parts if part is not None}
        if len(lengths) != 1 or 0 in lengths:
            raise InputError(
                "Bank: expected at least one expression and as many names, features, embeddings "
                f"and captions, got {sorted(lengths)}. Build it again."
            )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def neutral(self) -> int:
        """The entry called neutral, else the one with the least blendshapes, else the first."""
        for i, text in enumerate(zip(self.names, self.captions or self.names, strict=True)):
            if NEUTRAL in " ".join(text).lower():
                return i
        if self.blendshapes is None:
            return 0
        return int(self.blendshapes[:, 1:].square().sum(1).argmin())


@dataclass(frozen=True)
class Reference:
    """A picture for a bank: (3, H, W) in 0…1, its name, and a caption or ""."""

    name: str
    picture: Tensor
    caption: str = ""


def references_in(folder: Path) -> Iterable[Reference]:
    """The pictures of a folder in the order of their names; `joy.txt` is the caption of `joy.png`.

    Raises:
        MediaError: the folder is missing or has no pictures, or a caption cannot be read.
        InputError: a caption is far too long.
    """
    paths = sorted(p for p in folder.glob("*") if p.suffix.lower() in PICTURES)
    if not paths:
        raise MediaError(f"{folder}: expected a folder with pictures ({', '.join(PICTURES)}).")
    return (Reference(p.stem, load_image(p), _caption(p)) for p in paths)


def _caption(picture: Path) -> str:
    file = picture.with_suffix(".txt")
    if not file.is_file():
        return ""
    try:
        with file.open(encoding="utf-8") as text:
            return as_text(f"Caption {file}", text.read(LONGEST_TEXT + 1)).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"{file}: expected a caption in UTF-8 ({error}). Save it so.") from error


def build_bank(
    references: Iterable[Reference],
    network: HeadExpression,
    finder: FaceFinder,
    clip: Clip | None = None,
    on_reference: Callable[[int], None] | None = None,
) -> Bank:
    """Encode pictures of faces, one at a time.

    Args:
        clip: indexes the pictures, so that text can be matched to them.
        on_reference: called with the number of pictures done.

    Raises:
        FaceError: a picture without a face.
        InputError: no pictures, or captions for some but not for all.
    """
    names, captions, features, images, shapes = [], [], [], [], []
    for done, reference in enumerate(references, start=1):
        face = _face(finder, reference)
        signal = encode_expression(network, [reference.picture], [face.box], rate_hz=1.0)
        names.append(reference.name)
        captions.append(reference.caption)
        features.append(signal.features)
        if clip is not None:
            box = square(enlarged(face.box, HEAD_ENLARGED))
            images.append(clip.image(crop_resized(reference.picture[None], box, clip.image_px)))
        if isinstance(finder, Landmarker) and face.landmarks is not None:
            shapes.append(torch.from_numpy(finder.blendshapes(face.landmarks[None])))
        if on_reference is not None:
            on_reference(done)
    if any(captions) and not all(captions):
        missing = [n for n, c in zip(names, captions, strict=True) if not c]
        raise InputError(f"Bank: no caption for {', '.join(missing)}. Caption all, or none.")
    return Bank(
        names=tuple(names),
        features=_all(features, names),
        images=torch.cat(images) if images else None,
        blendshapes=torch.cat(shapes) if len(shapes) == len(names) else None,
        captions=tuple(captions) if any(captions) else (),
        clip="" if clip is None else clip.fingerprint,
    )


def _all(features: Sequence[Tensor], names: Sequence[str]) -> Tensor:
    if not names:
        raise InputError("Bank: expected at least one picture of a face, got none.")
    return torch.cat(list(features))


def _face(finder: FaceFinder, reference: Reference) -> Face:
    size = (int(reference.picture.shape[1]), int(reference.picture.shape[2]))
    return choose(finder.find(reference.picture), "largest", size, f"picture '{reference.name}'")


def bank_of_signal(signal: ExpressionSignal, captions: Mapping[float, str]) -> Bank:
    """Moments of a saved signal as references.

    Args:
        captions: what is expressed at which second.

    Raises:
        InputError: no captions, or a time outside the signal.
    """
    if not captions or not all(0 <= seconds < signal.seconds for seconds in captions):
        raise InputError(
            f"Bank: expected captions at times from 0 to below {signal.seconds:g} s, got "
            f"{[f'{seconds:g}' for seconds in captions]}."
        )
    index = [min(math.floor(s * signal.rate_hz + 1e-6), len(signal) - 1) for s in captions]
    texts = tuple(captions.values())
    return Bank(names=texts, features=signal.features[index], captions=texts)


def save_bank(path: Path, bank: Bank) -> None:
    """Write a bank to one `.safetensors`.

    Raises:
        MediaError: the file cannot be written.
    """
    tensors = {name: getattr(bank, name) for name in PARTS if getattr(bank, name) is not None}
    names, captions = json.dumps(bank.names), json.dumps(bank.captions)
    write_archive(path, "bank", tensors, {"names": names, "captions": captions, "clip": bank.clip})


def load_bank(path: Path) -> Bank:
    """Read what `save_bank` wrote.

    Raises:
        MediaError: missing, damaged, or another kind of file.
    """
    tensors, texts = read_archive(path, "bank")
    try:
        names, captions = (tuple(json.loads(texts[key])) for key in ("names", "captions"))
        return Bank(names=names, captions=captions, clip=texts["clip"], **tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise MediaError(f"{path}: the bank is incomplete ({error}). Build it again.") from error
