"""A bank: expressions to choose from, each with what words can be compared to."""

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...errors import InputError, MediaError, quoted
from ...faces.blendshapes import NAMES
from ...faces.box import Box, enlarge_box, squared_box
from ...faces.face import LARGEST, Face, FaceFinder, find_face
from ...faces.landmarker import Landmarker
from ...faces.portrait import crop_resized
from ...files.archive import read_archive, write_archive
from ...files.headers import parse_json
from ...media import load_image
from ...text import LONGEST_TEXT, check_text
from ..signals import FLOATS, ExpressionSignal
from .clip import CLIPEncoder

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
HEAD_ENLARGED = 1.5
"""CLIP sees the face box enlarged so many times."""
NEUTRAL = "neutral"
PARTS = ("features", "images", "blendshapes")
MOST_ENTRIES = 100_000

EncodeFaces = Callable[[Sequence[Tensor], Sequence[Box]], Tensor]
"""n images (3, h, w) in 0…1, and the box of the face in each -> (n, d) expression features."""


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
        """Refuse parts of different lengths, and what no network or person could have made."""
        parts = (self.names, self.features, self.images, self.blendshapes, self.captions or None)
        for text in (*self.names, *self.captions, self.clip):
            check_text("Bank, text", text)
        for name in PARTS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _checked(name, getattr(self, name)))
        lengths = {len(part) for part in parts if part is not None}
        if len(lengths) != 1 or not 0 < max(lengths) <= MOST_ENTRIES:
            raise InputError(
                f"Bank: expected at least one expression (at most {MOST_ENTRIES:,}) and as many "
                f"names, features, embeddings and captions, got {sorted(lengths)}. Build it again."
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


def _checked(name: str, part: Tensor) -> Tensor:
    """A part of a bank in float32."""
    shapes = name == "blendshapes"
    widths = (len(NAMES),) if shapes else part.shape[1:]
    if part.ndim != 2 or part.shape[1:] != widths or 0 in widths or part.dtype not in FLOATS:
        raise InputError(
            f"Bank: expected {name} of (n, {len(NAMES) if shapes else 'd'}) float numbers, got "
            f"{tuple(part.shape)} of {part.dtype}. Build it again."
        )
    part = part.float()
    least, most = (0.0, 1.0) if shapes else (-math.inf, math.inf)
    if not bool((part.isfinite() & (part >= least) & (part <= most)).all()):
        raise InputError(
            f"Bank: expected {name} {'in 0…1' if shapes else 'that are finite'}, got others. Build "
            "it again."
        )
    return part


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
    inside = folder.glob("*") if os.path.isdir(folder) else ()
    paths = sorted(p for p in inside if p.suffix.lower() in PICTURES)
    if not paths:
        raise MediaError(f"{folder}: expected a folder with pictures ({', '.join(PICTURES)}).")
    return (Reference(p.stem, load_image(p), _caption(p)) for p in paths)


def _caption(picture: Path) -> str:
    file = picture.with_suffix(".txt")
    if not os.path.isfile(file):
        return ""
    try:
        with file.open(encoding="utf-8") as text:
            return check_text(f"Caption {file}", text.read(LONGEST_TEXT + 1)).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"{file}: expected a caption in UTF-8 ({error}). Save it so.") from error


def build_bank(
    references: Iterable[Reference],
    encode_faces: EncodeFaces,
    finder: FaceFinder,
    clip: CLIPEncoder | None = None,
    on_reference: Callable[[int], None] | None = None,
) -> Bank:
    """Encode pictures of faces, one at a time.

    Args:
        encode_faces: the network that expressions are told apart by.
        clip: indexes the pictures, so that text can be matched to them.
        on_reference: called with the number of pictures done.

    Raises:
        FaceError: a picture without a face.
        InputError: no pictures, or captions for some but not for all.
    """
    names, captions, features, images, shapes = [], [], [], [], []
    for done, reference in enumerate(references, start=1):
        face = _face(finder, reference)
        names.append(reference.name)
        captions.append(reference.caption)
        features.append(encode_faces([reference.picture], [face.box]))
        if clip is not None:
            box = squared_box(enlarge_box(face.box, HEAD_ENLARGED))
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
    return find_face(finder, reference.picture, LARGEST, f"picture '{reference.name}'")


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
    tensors, texts = read_archive(path, "bank", PARTS)
    try:
        names, captions = (_texts_in(key, texts[key]) for key in ("names", "captions"))
        return Bank(
            names=names,
            features=tensors.pop("features"),
            captions=captions,
            clip=texts["clip"],
            **tensors,
        )
    except KeyError as error:
        raise MediaError(f"{path}: expected a bank with {error}, got none. Build it again.") from (
            error
        )
    except InputError as error:
        raise MediaError(f"{path}: {error}") from error


def _texts_in(key: str, written: str) -> tuple[str, ...]:
    """A list of texts in JSON."""
    try:
        found = parse_json(written)
    except InputError as error:
        raise InputError(
            f"Bank: expected a list of {key} in JSON, got something else ({error}). Build it again."
        ) from error
    if not isinstance(found, list):
        raise InputError(f"Bank: expected a list of {key}, got {quoted(found)}. Build it again.")
    return tuple(found)
