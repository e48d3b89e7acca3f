"""The motion of a face in numbers over time, as a signal that all edits work on, and its file."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...errors import InputError, MediaError
from ...faces.blendshapes import NAMES
from ...files.archive import read_archive, write_archive
from ...geometry.groups import GROUP_BLENDSHAPES
from ...geometry.mesh import VERTEX_COUNT
from ...geometry.numbers import FrameNumbers
from ...limits import BLENDSHAPE, FPS, FRAMES
from ..signals import DrivingSignal, mix_values, parse_rate

GROUPS = tuple(GROUP_BLENDSHAPES)
"""Mouth, eyes, brows, cheeks, head and gaze; each number belongs to one of them."""
WIDTHS = {
    "blendshapes": len(NAMES),
    "rotation_degrees": 3,
    "translation": 2,
    "head_scale": 1,
    "gaze": 4,
    "detail": 3 * VERTEX_COUNT,
}
"""How many numbers of a frame each track holds."""
DETAIL_WEIGHTS = "detail_weights"


@dataclass(frozen=True)
class MotionSignal(DrivingSignal):
    """What a face does, as changes from rest; rest is the portrait as it is.

    Attributes:
        blendshapes: (f, 52) in the order of `faces.blendshapes.NAMES`, mostly 0…1.
        rotation_degrees: (f, 3) pitch, yaw and roll; see `faces.measure.head_rotation_degrees`.
        translation: (f, 2) right and down, in face widths.
        head_scale: (f, 1) above 0; 1 is the size at rest.
        gaze: (f, 4) left eye right and up, right eye right and up, in half widths of an eye.
        detail: (f, 1404) how far 468 vertices are from where the blendshapes put them: right, down
            and away for each, in cm of the canonical face; None where nothing has measured it.
        detail_weights: (6, 468) how much of each vertex is each group's, in the order of `GROUPS`;
            given with `detail`.

    Raises:
        InputError: tracks of other widths or lengths, NaN, or a scale that is not above 0.
    """

    TRACKS = tuple(WIDTHS)
    ANGLES = ("rotation_degrees",)
    RATIOS = ("head_scale",)

    blendshapes: Tensor
    rotation_degrees: Tensor
    translation: Tensor
    head_scale: Tensor
    gaze: Tensor
    detail: Tensor | None = None
    detail_weights: Tensor | None = None

    def __post_init__(self) -> None:
        """Refuse what is no motion."""
        super().__post_init__()
        widths = {name: track.shape[1] for name, track in self.tracks.items()}
        expected = {name: WIDTHS[name] for name in widths}
        if widths != expected:
            raise InputError(
                f"MotionSignal: expected {expected} numbers in a frame, got {widths}. Make it "
                "again from its source."
            )
        lowest = float(self.head_scale.min())
        if not lowest > 0:
            raise InputError(
                f"MotionSignal: expected a head scale above 0, got {lowest:g}. Edit it less."
            )
        self._check_weights()

    def _check_weights(self) -> None:
        weights = self.detail_weights
        shape = None if weights is None else tuple(weights.shape)
        fits = shape in (None, (len(GROUPS), VERTEX_COUNT)) and (self.detail is None) == (
            shape is None
        )
        if not fits or (weights is not None and not bool(weights.isfinite().all())):
            detail = "no detail" if self.detail is None else "detail"
            raise InputError(
                "MotionSignal: expected detail with finite weights of shape "
                f"{(len(GROUPS), VERTEX_COUNT)}, or neither, got {detail} and weights of shape "
                f"{shape}. Make it again from its source."
            )

    @classmethod
    def rest(cls, frames: int, rate_hz: float, source: str = "rest") -> "MotionSignal":
        """The portrait as it is, for so many frames.

        Raises:
            InputError: a number outside its `limits`.
        """
        count, rate_hz = FRAMES.check(frames), FPS.check(rate_hz)
        tracks = {name: torch.zeros(count, WIDTHS[name]) for name in cls.TRACKS if name != "detail"}
        return cls(rate_hz, source, **(tracks | {"head_scale": torch.ones(count, 1)}))

    def to_rest(self) -> "MotionSignal":
        """As many frames of the portrait as it is."""
        tracks: dict[str, Any] = {
            name: torch.zeros_like(track) for name, track in self.tracks.items() if name != "detail"
        }
        tracks |= {"head_scale": torch.ones_like(self.head_scale)}
        return replace(self, **tracks, detail=None, detail_weights=None)

    @property
    def tracks(self) -> dict[str, Tensor]:
        """Its numbers by name, (f, …) each; `detail` only where there is one."""
        tracks = {name: getattr(self, name) for name in self.TRACKS}
        return {name: track for name, track in tracks.items() if track is not None}

    def frame(self, index: int) -> FrameNumbers:
        """The numbers of one frame, as the geometry takes them; blendshapes stay within −1…1.

        Raises:
            InputError: there is no such frame.
        """
        if not 0 <= index < len(self):
            raise InputError(
                f"Frame: expected 0 to {len(self) - 1:,}, got {index:,}. Choose a frame of the "
                "motion."
            )
        numbers = {
            name: track[index].double().numpy()
            for name, track in self.tracks.items()
            if name not in ("blendshapes", "detail")
        }
        shapes = self.blendshapes[index].double().numpy()
        return FrameNumbers(
            blendshapes=np.clip(shapes, BLENDSHAPE.minimum, BLENDSHAPE.maximum),
            rotation_degrees=numbers["rotation_degrees"],
            translation=numbers["translation"],
            scale=numbers["head_scale"],
            gaze=numbers["gaze"],
            detail=None
            if self.detail is None
            else self.detail[index].double().numpy().reshape(VERTEX_COUNT, 3),
        )

    def blend(self, target: "MotionSignal", curve: Tensor, curve_rate_hz: float) -> "MotionSignal":
        """A mix of this motion (curve (k,) at 0) and a target (1); see `DrivingSignal.blend`.

        Where only one of the two has detail, it fades.
        """
        base = self
        if isinstance(target, MotionSignal):  # another kind is refused below
            base, target = self.with_detail_of(target), target.with_detail_of(self)
        return super(MotionSignal, base).blend(target, curve, curve_rate_hz)

    def with_detail_of(self, target: "MotionSignal") -> "MotionSignal":
        """The same motion; if only the target has detail, with detail (f, 1404) of zeros."""
        if self.detail is not None or target.detail is None:
            return self
        zeros = torch.zeros(len(self), WIDTHS["detail"])
        return replace(self, detail=zeros, detail_weights=target.detail_weights)

    def without_detail(self) -> "MotionSignal":
        """The same motion as far as the blendshapes tell it."""
        return self if self.detail is None else replace(self, detail=None, detail_weights=None)

    def mix_columns(
        self, target: "MotionSignal", shares: Mapping[str, Tensor], source: str | None = None
    ) -> "MotionSignal":
        """From this motion (share 0) to a target (1) of as many frames, number by number.

        Args:
            shares: track -> (f, c) or (c,); a track without any stays.
            source: of the result; None for this motion's own.
        """
        base, target = self.with_detail_of(target), target.with_detail_of(self)
        tracks: dict[str, Any] = {
            name: mix_values(track, target.tracks[name], shares[name], self.space_of(name))
            for name, track in base.tracks.items()
            if name in shares
        }
        return replace(base, **tracks, source=self.source if source is None else source)


# Files -------------------------------------------------------------------------------------------


def save_motion(path: Path, motion: MotionSignal) -> None:
    """Write motion to a `.safetensors`: its tracks, with rate and source in the metadata.

    Raises:
        MediaError: the file cannot be written.
    """
    tensors = motion.tracks
    if motion.detail_weights is not None:
        tensors |= {DETAIL_WEIGHTS: motion.detail_weights}
    write_archive(
        path, "motion", tensors, {"rate_hz": repr(motion.rate_hz), "source": motion.source}
    )


def load_motion(path: Path) -> MotionSignal:
    """Read what `save_motion` wrote, bit for bit.

    Raises:
        MediaError: missing, damaged, or another kind of file.
    """
    names = [*MotionSignal.TRACKS, DETAIL_WEIGHTS]
    tensors, texts = read_archive(path, "motion", names)
    missing_names = [name for name in names if name not in (*tensors, "detail", DETAIL_WEIGHTS)] + [
        name for name in ("rate_hz", "source") if name not in texts
    ]
    if missing_names:
        raise MediaError(
            f"{path}: expected motion with {', '.join(missing_names)}, got none. Save it again."
        )
    try:
        rate_hz = parse_rate("MotionSignal", texts["rate_hz"])
        return MotionSignal(rate_hz, texts["source"], **tensors)
    except InputError as error:
        raise MediaError(f"{path}: {error}") from error
