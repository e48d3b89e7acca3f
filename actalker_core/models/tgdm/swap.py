"""The face swap: a source's face on the face of a clip, all else as the clip has it.

The geometry lays the source's skin over the target's face, the network finishes what it sees of
it, and only the face's mask is taken over, but for what lies before the face.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor, inference_mode

from ...errors import InputError, check_choice
from ...faces import Track
from ...geometry.mesh import FaceMesh
from ...geometry.numbers import FrameNumbers
from ...geometry.photograph import RenderedFrame
from ...geometry.planes import PixelBox
from ...geometry.pose import check_landmarks, fit_pose, measure_rotation
from ...geometry.retarget import measure_motion
from ...geometry.rig import Rig
from ...geometry.swap import SwapStart, start_swap
from .geometry import describe_geometry, from_images
from .network import TGDM
from .occlusion import OcclusionFinder
from .pipeline import INVENTED_PLACE, PLACES, draw_noise, mix_images, to_pixels
from .sampling import Sampling, finish_images
from .view import View

log = logging.getLogger(__name__)

Image = NDArray[np.uint8]
Floats = NDArray[np.floating]
Mask = NDArray[np.float32]

REGION_SHARE = 0.5
"""How far the part of the frame that is worked on reaches beyond the face, in face widths."""
SEAM_SHARE = 0.03
"""Standard deviation of the seam, as a share of the face's width."""


@dataclass(frozen=True)
class SwapTarget:
    """The face of a clip that is replaced.

    Attributes:
        landmarks: (f, 478, 3) of it, in pixels of the frames.
        blendshapes: (f, 52) of it, of the landmarker's network.
        is_swapped: (f,) whether a frame shows it; others are kept.

    Raises:
        InputError: shapes that do not fit, or no frame that shows it.
    """

    landmarks: Floats
    blendshapes: Floats
    is_swapped: NDArray[np.bool_]

    def __post_init__(self) -> None:
        """Refuse what is no clip."""
        check_landmarks(self.landmarks)
        shape = np.shape(self.is_swapped)
        if shape != (len(self.landmarks),) or not self.is_swapped.any():
            raise InputError(
                f"Target of a swap: expected for each of {len(self.landmarks)} frames whether it "
                f"shows the face, and one that does, got {int(np.sum(self.is_swapped))} of "
                f"{shape}. Choose a clip that shows the face."
            )


@dataclass(frozen=True)
class Swap:
    """Whose face is put on, and how it is finished.

    Attributes:
        network: on any device, in any type.
        mesh: the canonical face.
        source: (h, w, 3) picture of the face.
        landmarks: (478, 3) in its pixels.
        sampling: how.
        seed: of the one noise of a clip.
        place: one of `pipeline.PLACES`: `invented` leaves the skin that the source shows as
            geometry lays it over the target.

    Raises:
        InputError: an unknown place.
    """

    network: TGDM
    mesh: FaceMesh
    source: Image
    landmarks: Floats
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0
    place: str = PLACES[0]

    def __post_init__(self) -> None:
        """Refuse a place that is none."""
        check_choice("Place of the swap", self.place, PLACES)


def choose_frames(track: Track) -> NDArray[np.bool_]:
    """(f,) where the chosen face is: found, and not beyond a cut, where it may be another person.

    A warning counts the frames that are kept.
    """
    is_found = track.confidence > 0
    is_swapped = is_found.copy()
    first = int(np.argmax(is_found))
    start = max((cut for cut in track.cuts if cut <= first), default=0)
    end = min((cut for cut in track.cuts if cut > first), default=len(track))
    is_swapped[:start], is_swapped[end:] = False, False
    if end < len(track):
        log.warning(
            "Frames from %d on are kept, as what comes after the cut may be another person. Swap "
            "the parts of the clip one by one.",
            end,
        )
    missing = int((~is_found[start:end]).sum())
    if missing:
        log.warning("%d frames that do not show the face are kept as they are.", missing)
    return np.asarray(is_swapped)


def swap_frames(swap: Swap, target: SwapTarget, frames: Iterable[Image]) -> Iterator[Image]:
    """Each frame (H, W, 3) of a clip with the source's face, in order.

    Args:
        frames: of the clip, as many as the target has or more, which are left out. They are read
            twice: a few for what the face looks like uncovered, then all.
    """
    finder: FrameSwapper | None = None
    places = np.flatnonzero(target.is_swapped)
    for number, (frame, is_swapped) in enumerate(zip(frames, target.is_swapped, strict=False)):
        if not is_swapped:
            yield frame
            continue
        if finder is None:
            finder = FrameSwapper(swap, target, frames, (frame.shape[0], frame.shape[1]))
        yield finder.swap_frame(frame, int(np.searchsorted(places, number)))


class FrameSwapper:
    """Swaps the face of single frames of a clip.

    Args:
        frames: (H, W, 3) of the clip, of which few are read.
        shape: H and W.
    """

    def __init__(
        self, swap: Swap, target: SwapTarget, frames: Iterable[Image], shape: tuple[int, int]
    ) -> None:
        self._swap, self._shape = swap, shape
        self._points = np.asarray(target.landmarks[target.is_swapped], np.float64)
        blendshapes = np.asarray(target.blendshapes[target.is_swapped], np.float64)
        side = swap.network.config.side_px
        self._views = View.follow(self._points, side, shape)
        rig = Rig(swap.mesh)
        self._numbers = measure_absolute(self._points, blendshapes, swap.mesh, rig)
        self._occlusion = OcclusionFinder(self._points, blendshapes, swap.mesh, rig, shape)
        self._occlusion.read(
            frame
            for frame, is_swapped in zip(frames, target.is_swapped, strict=False)
            if is_swapped
        )
        weight = next(swap.network.parameters())
        self._noise = draw_noise(swap.seed, side).to(weight)
        size = swap.source.shape
        view = View.around(swap.landmarks, side, (size[0], size[1]))
        with inference_mode():
            square = from_images(view.cut(swap.source)[None]).to(weight)
            self._textures: dict[int, Tensor] = swap.network.texture_encoder(square)

    def swap_frame(self, frame: Image, number: int) -> Image:
        """The frame (H, W, 3) that is number so many of those that show the face."""
        points, view = self._points[number], self._views[number]
        start = self._start(frame, points)
        if start is None:  # the face lies outside the frame
            return frame
        square = RenderedFrame(view.cut(start.image), view.cut(start.invented_mask))
        geometry = describe_geometry([square], [view.place(points)], [self._numbers[number]])
        geometry = geometry.to(self._noise)
        with inference_mode():
            out = finish_images(
                self._swap.network, geometry, self._textures, self._swap.sampling, self._noise
            )
        before, after = to_pixels(geometry.photograph)[0], to_pixels(out)[0]
        share = start.invented_mask.astype(np.float32) / 255
        image = view.paste_change(start.image, before, after, share)
        if self._swap.place == INVENTED_PLACE:
            image = mix_images(start.image, image, share)
        occluder = self._occlusion.find(frame, number)
        seam_px = SEAM_SHARE * float(np.ptp(points[:, 0]))
        return compose(frame, image, start.inpaint_mask, occluder, seam_px)

    def _start(self, frame: Image, points: Floats) -> SwapStart | None:
        """The swap before the network, of the size of the frame; None without a face in it."""
        margin = round(REGION_SHARE * float(np.ptp(points[:, 0])))
        box = PixelBox.around(points[:, :2], margin, self._shape)
        if box is None:
            return None
        local = points.copy()
        local[:, :2] -= box.corner
        part = np.ascontiguousarray(frame[box.slices])
        start = start_swap(self._swap.source, self._swap.landmarks, part, local, self._swap.mesh)
        image, *masks = frame.copy(), *np.zeros((2, *self._shape), np.uint8)
        image[box.slices] = start.image
        masks[0][box.slices] = start.inpaint_mask
        masks[1][box.slices] = start.invented_mask
        return SwapStart(image, *masks)


def measure_absolute(
    landmarks: Floats, blendshapes: Floats, mesh: FaceMesh, rig: Rig
) -> list[FrameNumbers]:
    """The numbers of a face (f, 478, 3) and (f, 52) themselves, not changes from its neutral frame.

    As in training: a head that looks ahead is not turned, whatever the neutral frame does.
    """
    motion = measure_motion(landmarks, blendshapes, mesh, rig)
    rest = blendshapes[motion.neutral]
    turn_degrees = measure_rotation(fit_pose(landmarks[motion.neutral], mesh).rotation)
    rows = [motion.frame(number) for number in range(len(motion))]
    return [
        FrameNumbers(
            np.clip(row.blendshapes + rest, -1, 1),
            row.rotation_degrees + turn_degrees,
            row.translation,
            row.scale,
            row.gaze,
            row.detail,
        )
        for row in rows
    ]


def compose(frame: Image, image: Image, mask: Image, occluder: Mask, seam_px: float) -> Image:
    """The frame with the image inside the mask; outside it bit for bit the frame.

    Args:
        frame, image: (H, W, 3).
        mask: (H, W) 0…255, whose border turns soft inwards.
        occluder: (H, W) in 0…1, how far the frame stays all the same.
        seam_px: standard deviation of the soft border.
    """
    inner = (mask > 0).astype(np.uint8)
    radius = max(round(2 * seam_px), 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    soft = cv2.GaussianBlur(cv2.erode(inner, disc).astype(np.float32), (0, 0), max(seam_px, 0.5))
    return mix_images(frame, image, soft * inner * (1 - occluder))
