"""The trip from frames of a moved photograph to finished ones, a few at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import check_choice
from ...faces.blendshapes import NAMES
from ...geometry.groups import GROUP_BLENDSHAPES
from ...geometry.landmarks import move_landmarks
from ...geometry.numbers import FrameNumbers
from ...geometry.photograph import Photograph, RenderedFrame
from ...geometry.pose import measure_rotation
from .geometry import describe_geometry, from_images
from .network import TGDM, Geometry
from .sampling import Sampling, finish_images
from .view import View

Image = NDArray[np.uint8]
Floats = NDArray[np.floating]

FRAMES_AT_ONCE = 4
INVENTED_PLACE = "invented"
PLACES = ("all", INVENTED_PLACE)
"""What may change: all that the network sees, or only pixels that the photograph does not show."""
RELATIVE = "relative"
"""Lips that move on from where the photograph has them."""
MOUTH = np.isin(NAMES, GROUP_BLENDSHAPES["mouth"])


@dataclass(frozen=True)
class Refinement:
    """A photograph with the network that finishes its frames.

    Attributes:
        network: on any device, in any type.
        photograph: that geometry moves.
        sampling: how.
        seed: of the one noise of a clip.
        place: one of `PLACES`.
        lips: as geometry moved them, see `Photograph.render`.
        mask: (H, W) in 0…1, where the picture may change; None for everywhere.

    Raises:
        InputError: an unknown place.
    """

    network: TGDM
    photograph: Photograph
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    place: str = PLACES[0]
    lips: str = RELATIVE
    mask: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        """Refuse a place that is none."""
        check_choice("Place of the refinement", self.place, PLACES)

    @property
    def view(self) -> View:
        """What the network sees of the photograph."""
        shape = self.photograph.image.shape
        side = self.network.config.side_px
        return View.around(self.photograph.landmarks, side, (shape[0], shape[1]))


def refine_frames(
    refinement: Refinement, frames: Iterable[tuple[RenderedFrame, FrameNumbers]]
) -> Iterator[Image]:
    """Each moved frame (H, W, 3), finished, in order; memory does not grow with their count.

    Args:
        frames: of the photograph, each with the numbers that moved it.
    """
    source, view = refinement.photograph.image, refinement.view
    weight = next(refinement.network.parameters())
    with torch.inference_mode():
        square = from_images(view.cut(source)[None]).to(weight)
        textures = refinement.network.texture_encoder(square)
    noise = draw_noise(refinement.seed, view.side_px).to(weight)
    iterator = iter(frames)
    while chunk := list(islice(iterator, FRAMES_AT_ONCE)):
        yield from _refine_chunk(refinement, view, textures, noise, chunk)


def _refine_chunk(
    refinement: Refinement,
    view: View,
    textures: dict[int, Tensor],
    noise: Tensor,
    chunk: list[tuple[RenderedFrame, FrameNumbers]],
) -> Iterator[Image]:
    """Frames (H, W, 3) that go through the network at once."""
    geometry = _see(refinement, view, chunk)
    with torch.inference_mode():
        out = finish_images(refinement.network, geometry, textures, refinement.sampling, noise)
    before, after = to_pixels(geometry.photograph), to_pixels(out)
    for (frame, _), *squares in zip(chunk, before, after, strict=True):
        yield _put_back(refinement, view, frame, *squares)


def _see(
    refinement: Refinement, view: View, chunk: list[tuple[RenderedFrame, FrameNumbers]]
) -> Geometry:
    """What the network reads of frames (H, W, 3)."""
    photograph, lips = refinement.photograph, refinement.lips
    at_rest = photograph.blendshapes
    if lips != RELATIVE:  # numbers of the mouth count from shut lips, not from the photograph's
        at_rest = np.where(MOUTH, 0.0, at_rest)
    points = [
        view.place(move_landmarks(photograph, photograph.landmarks, numbers, lips))
        for _, numbers in chunk
    ]
    squares = [
        RenderedFrame(view.cut(frame.image), view.cut(frame.invented_mask)) for frame, _ in chunk
    ]
    # The network learns what a face does, not what changes from one source.
    numbers = [
        replace(row, blendshapes=np.clip(row.blendshapes + at_rest, -1, 1)) for _, row in chunk
    ]
    rest_degrees = measure_rotation(photograph.pose.rotation)
    geometry = describe_geometry(squares, points, numbers, rest_degrees)
    return geometry.to(next(refinement.network.parameters()))


def _put_back(
    refinement: Refinement, view: View, frame: RenderedFrame, before: Floats, after: Floats
) -> Image:
    """The frame (H, W, 3) with what the network made of the square, where it may change."""
    is_invented = frame.invented_mask.astype(np.float32) / 255
    image = view.paste_change(frame.image, before, after, is_invented)
    if refinement.place != INVENTED_PLACE and refinement.mask is None:
        return image
    share = is_invented if refinement.place == INVENTED_PLACE else np.ones_like(is_invented)
    if refinement.mask is not None:
        share = share * refinement.mask
    return mix_images(frame.image, image, share)


def mix_images(first: Image, second: Image, share: NDArray[np.floating]) -> Image:
    """(H, W, 3) from the one to the other, as far as a share (H, W) in 0…1 says; 0 to the bit."""
    mix = first + (second.astype(np.float32) - first) * share[..., None]
    return np.asarray(np.rint(mix).clip(0, 255), np.uint8)


def draw_noise(seed: int, side_px: int) -> Tensor:
    """(1, 3, side, side) of a seed, the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 3, side_px, side_px, generator=generator)


def to_pixels(images: Tensor) -> NDArray[np.float32]:
    """(b, 3, h, w) in −1…1 -> (b, h, w, 3) in 0…255, not rounded."""
    pixels = (images.float() + 1) * 127.5
    return np.asarray(pixels.permute(0, 2, 3, 1).cpu().numpy())
