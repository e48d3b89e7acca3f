"""How a long clip is cut into windows of frames at each step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError, check_choice, quote
from ..limits import OVERLAP_FRAMES, SHIFT_FRAMES, WINDOW_FRAMES

MODES = ("tight", "cyclic")


@dataclass(frozen=True)
class Windows:
    """The windows of every step.

    Attributes:
        frames: length of a window.
        overlap: frames shared by neighbours.
        shift_per_step: how far the windows move after each step, modulo their length, so that
            their borders do not stay in one place; at 0 they stay.
        mode: `tight` keeps every window inside the clip; one window serves a clip that fits.
            `cyclic` lets them wrap around, as released; the clip is then padded by one window.
    """

    frames: int
    overlap: int = 0
    shift_per_step: int = 0
    mode: str = "tight"

    def __post_init__(self) -> None:
        """Refuse windows that would not advance."""
        check_choice("Windows", self.mode, MODES)
        values = (self.frames, self.overlap, self.shift_per_step)
        limits = (WINDOW_FRAMES, OVERLAP_FRAMES, SHIFT_FRAMES)
        are_held = all(limit.contains(value) for limit, value in zip(limits, values, strict=True))
        if not are_held or self.overlap >= self.frames:
            raise InputError(
                f"Windows: expected 1 to {WINDOW_FRAMES.maximum:,} frames, an overlap from 0 to "
                f"below that and a shift from 0 to {SHIFT_FRAMES.maximum:,}, got "
                f"{', '.join(map(quote, values))}. Change them."
            )

    @property
    def padding(self) -> int:
        """Frames to add to a clip before it is cut."""
        return self.frames if self.mode == "cyclic" else 0

    def at(self, step: int, length: int) -> list[list[int]]:
        """The frame numbers of each window of a step, for `length` frames, padding included."""
        shift = self.shift_per_step * step % self.frames
        end = length - shift if self.mode == "cyclic" else length
        starts = range(-shift, end, self.frames - self.overlap)
        if self.mode == "cyclic":
            return [[(start + i) % length for i in range(self.frames)] for start in starts]
        return self._tight(starts, length)

    def _tight(self, starts: range, length: int) -> list[list[int]]:
        size = min(self.frames, length)
        starts_inside = dict.fromkeys(min(max(start, 0), length - size) for start in starts)
        return [list(range(start, start + size)) for start in starts_inside]


def average_windows(
    x: Tensor,
    windows: Sequence[Sequence[int]],
    predict: Callable[[Tensor, Sequence[int]], Tensor],
) -> Tensor:
    """What is predicted window by window, averaged where windows meet: (frames, …).

    A mean, since neither window knows better what lies at its border.

    Args:
        x: (frames, …) of a clip.
        windows: frame numbers of each; every frame is in one at least.
        predict: from the frames of a window (f, …) and their numbers to (f, …).
    """
    total, count = None, x.new_zeros(len(x))
    for frames in windows:
        index = torch.tensor(frames, device=x.device)
        prediction = predict(x[index], frames)
        if total is None:
            total = prediction.new_zeros(len(x), *prediction.shape[1:])
        total.index_add_(0, index, prediction)
        count.index_add_(0, index, count.new_ones(len(frames)))
    assert total is not None
    return total / count.view(-1, *[1] * (total.ndim - 1))
