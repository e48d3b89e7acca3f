"""A bank: reference expressions, each with a name, a caption or features to match words with."""

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...errors import InputError, MediaError, quote
from ...faces.blendshapes import NAMES
from ...faces.box import Box, enlarge_box, square_box
from ...faces.face import LARGEST, FaceFinder, find_face
from ...faces.landmarker import Landmarker
from ...faces.portrait import crop_and_resize
from ...files.archive import read_archive, write_archive
from ...files.headers import parse_json
from ...limits import MAX_TEXT_LENGTH
from ...media import load_image
from ...text import check_text
from ..signals import FLOAT_DTYPES, ExpressionSignal
from .clip import CLIPEncoder

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
HEAD_SCALE = 1.5
"""Side of the square that CLIP sees, as a multiple of the face box's longer side."""
NEUTRAL = "neutral"
TENSOR_KEYS = {"features": "features", "image_embeddings": "images", "blendshapes": "blendshapes"}
"""Attribute of a bank -> its key in a file."""
MAX_ENTRIES = 100_000

EncodeFaces = Callable[[Sequence[Tensor], Sequence[Box]], Tensor]
"""Images (3, h, w) in 0…1, and the box of the face in each -> (entries, c) expression features."""


@dataclass(frozen=True)
class Bank:
    """n reference expressions; d features and e embedding dimensions.

    Attributes:
        names: one per expression.
        features: (entries, c) expression features, before the expression projection.
        image_embeddings: (entries, e) of length 1, by CLIP, or None.
        blendshapes: (entries, 52) in 0…1, or None.
        captions: one text per expression, or empty.
        clip_fingerprint: of the CLIP that encoded the images, or "".

    Raises:
        InputError: parts of different lengths, or values that no network or person could have made.
    """

    names: tuple[str, ...]
    features: Tensor
    image_embeddings: Tensor | None = None
    blendshapes: Tensor | None = None
    captions: tuple[str, ...] = ()
    clip_fingerprint: str = ""

    def __post_init__(self) -> None:
        """Refuse parts of different lengths, and what no network or person could have made."""
        for text in (*self.names, *self.captions, self.clip_fingerprint):
            check_text("Bank, text", text)
        tensors = {name: getattr(self, name) for name in TENSOR_KEYS}
        present = {name: tensor for name, tensor in tensors.items() if tensor is not None}
        for name, tensor in present.items():
            object.__setattr__(self, name, _check_tensor(name, tensor))
        parts = (self.names, self.captions or self.names, *present.values())
        lengths = {len(part) for part in parts}
        if len(lengths) != 1 or not 0 < max(lengths) <= MAX_ENTRIES:
            raise InputError(
                f"Bank: expected at least one expression (at most {MAX_ENTRIES:,}) and as many "
                f"names, features, embeddings and captions, got {sorted(lengths)}. Build it again."
            )

    def __len__(self) -> int:
        return len(self.names)

    @property
    def neutral_index(self) -> int:
        """The entry called neutral, else the one with the least blendshapes, else the first."""
        for i, text in enumerate(zip(self.names, self.captions or self.names, strict=True)):
            if NEUTRAL in " ".join(text).lower():
                return i
        if self.blendshapes is None:
            return 0
        return int(self.blendshapes[:, 1:].square().sum(1).argmin())


def _check_tensor(name: str, values: Tensor) -> Tensor:
    """A tensor (entries, c) of a bank, in float32."""
    is_blendshapes = name == "blendshapes"
    widths = (len(NAMES),) if is_blendshapes else values.shape[1:]
    is_matrix = values.ndim == 2 and values.shape[1:] == widths and 0 not in widths
    if not is_matrix or values.dtype not in FLOAT_DTYPES:
        raise InputError(
            f"Bank: expected {name} of (entries, {len(NAMES) if is_blendshapes else 'c'}) float "
            f"numbers, got {tuple(values.shape)} of {values.dtype}. Build it again."
        )
    values = values.float()
    low, high = (0.0, 1.0) if is_blendshapes else (-math.inf, math.inf)
    if not bool((values.isfinite() & (values >= low) & (values <= high)).all()):
        raise InputError(
            f"Bank: expected {name} {'in 0…1' if is_blendshapes else 'that are finite'}, got "
            "others. Build it again."
        )
    return values


@dataclass(frozen=True)
class Reference:
    """An image of a face for a bank.

    Attributes:
        name: of the entry.
        image: (3, h, w) in 0…1.
        caption: what the face expresses, or "".
    """

    name: str
    image: Tensor
    caption: str = ""


def read_references(folder: Path) -> Iterable[Reference]:
    """The images of a folder in the order of their names; `joy.txt` is the caption of `joy.png`.

    Raises:
        MediaError: the folder is missing or has no images, or a caption cannot be read.
        InputError: a caption is far too long.
    """
    files = folder.glob("*") if os.path.isdir(folder) else ()
    paths = sorted(p for p in files if p.suffix.lower() in IMAGE_SUFFIXES)
    if not paths:
        raise MediaError(
            f"{folder}: expected a folder with images ({', '.join(IMAGE_SUFFIXES)}), got none. "
            "Choose the folder that they lie in."
        )
    return (Reference(p.stem, load_image(p), _read_caption(p)) for p in paths)


def _read_caption(image: Path) -> str:
    file = image.with_suffix(".txt")
    if not os.path.isfile(file):
        return ""
    try:
        with file.open(encoding="utf-8") as text:
            return check_text(f"Caption {file}", text.read(MAX_TEXT_LENGTH + 1)).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MediaError(f"{file}: expected a caption in UTF-8 ({error}). Save it so.") from error


def build_bank(
    references: Iterable[Reference],
    encode_faces: EncodeFaces,
    finder: FaceFinder,
    clip: CLIPEncoder | None = None,
    on_reference: Callable[[int], None] | None = None,
) -> Bank:
    """Encode images of faces, one at a time: (3, h, w) each -> features (entries, c).

    Args:
        encode_faces: encodes expressions; the network of the model that the bank is for.
        clip: encodes the images too, so that any text can be matched to them.
        on_reference: called with the number of images encoded.

    Raises:
        FaceError: an image without a face.
        InputError: no images, or captions for some but not for all.
    """
    names, captions, features, embeddings, blendshapes = [], [], [], [], []
    for count, reference in enumerate(references, start=1):
        face = find_face(finder, reference.image, LARGEST, f"image '{reference.name}'")
        names.append(reference.name)
        captions.append(reference.caption)
        features.append(encode_faces([reference.image], [face.box]))
        if clip is not None:
            box = square_box(enlarge_box(face.box, HEAD_SCALE))
            head = crop_and_resize(reference.image[None], box, clip.image_px)
            embeddings.append(clip.encode_images(head))
        if isinstance(finder, Landmarker) and face.landmarks is not None:
            blendshapes.append(torch.from_numpy(finder.blendshapes(face.landmarks[None])))
        if on_reference is not None:
            on_reference(count)
    if not names:
        raise InputError(
            "Bank: expected at least one image of a face, got none. Add images of faces."
        )
    if any(captions) and not all(captions):
        missing = [n for n, c in zip(names, captions, strict=True) if not c]
        raise InputError(f"Bank: no caption for {', '.join(missing)}. Caption all, or none.")
    return Bank(
        names=tuple(names),
        features=torch.cat(features),
        image_embeddings=torch.cat(embeddings) if embeddings else None,
        blendshapes=torch.cat(blendshapes) if len(blendshapes) == len(names) else None,
        captions=tuple(captions) if any(captions) else (),
        clip_fingerprint="" if clip is None else clip.fingerprint,
    )


def extract_bank(signal: ExpressionSignal, captions: Mapping[float, str]) -> Bank:
    """Moments of a signal as reference expressions.

    Args:
        captions: what is expressed at which second.

    Raises:
        InputError: no captions, or a time outside the signal.
    """
    if not captions or not all(0 <= seconds < signal.seconds for seconds in captions):
        raise InputError(
            f"Bank: expected captions at times from 0 to below {signal.seconds:g} s, got "
            f"{[f'{seconds:g}' for seconds in captions]}. Correct the times."
        )
    index = [min(math.floor(s * signal.rate_hz + 1e-6), len(signal) - 1) for s in captions]
    texts = tuple(captions.values())
    return Bank(names=texts, features=signal.features[index], captions=texts)


def save_bank(path: Path, bank: Bank) -> None:
    """Write a bank to one `.safetensors`.

    Raises:
        MediaError: the file cannot be written.
    """
    tensors = {key: getattr(bank, name) for name, key in TENSOR_KEYS.items()}
    tensors = {key: tensor for key, tensor in tensors.items() if tensor is not None}
    names, captions = json.dumps(bank.names), json.dumps(bank.captions)
    texts = {"names": names, "captions": captions, "clip": bank.clip_fingerprint}
    write_archive(path, "bank", tensors, texts)


def load_bank(path: Path) -> Bank:
    """Read what `save_bank` wrote.

    Raises:
        MediaError: missing, damaged, or another kind of file.
    """
    tensors, texts = read_archive(path, "bank", TENSOR_KEYS.values())
    try:
        names, captions = (_parse_texts(key, texts[key]) for key in ("names", "captions"))
        return Bank(
            names=names,
            features=tensors["features"],
            image_embeddings=tensors.get("images"),
            blendshapes=tensors.get("blendshapes"),
            captions=captions,
            clip_fingerprint=texts["clip"],
        )
    except KeyError as error:
        raise MediaError(f"{path}: expected a bank with {error}, got none. Build it again.") from (
            error
        )
    except InputError as error:
        raise MediaError(f"{path}: {error}") from error


def _parse_texts(key: str, json_text: str) -> tuple[str, ...]:
    """A list of texts in JSON."""
    try:
        texts = parse_json(json_text)
    except InputError as error:
        raise InputError(
            f"Bank: expected a list of {key} in JSON, got something else ({error}). Build it again."
        ) from error
    if not isinstance(texts, list):
        raise InputError(f"Bank: expected a list of {key}, got {quote(texts)}. Build it again.")
    return tuple(texts)
