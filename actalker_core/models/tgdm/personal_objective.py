"""What the network learns from clips: frames of a person, from other frames of that person."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...errors import InputError
from ...geometry.mesh import FaceMesh
from ...geometry.rig import Rig
from ...learning.trainer import Batch, TrainConfig
from .footage import Footage
from .network import TGDM
from .objective import compute_loss, geometry_of, measure_psnr, stack_pairs
from .pairs import Pair, make_pair
from .pipeline import to_pixels
from .view import View

Image = NDArray[np.uint8]

VALIDATION_PAIRS = 12
SAMPLES = 6


@dataclass
class PersonalObjective:
    """Pairs of frames of clips.

    Attributes:
        network: that learns.
        clips: one person each.
        mesh: the canonical face.
        name: of the checkpoint and of the log.

    Raises:
        InputError: all frames are held out.
    """

    config: TrainConfig
    network: TGDM
    clips: Sequence[Footage]
    mesh: FaceMesh
    name: str = "personal"
    rig: Rig = field(init=False)

    def __post_init__(self) -> None:
        self.rig = Rig(self.mesh)
        self._training_frames = _list_frames(self.clips, held_out=False)
        if not self._training_frames:
            raise InputError(
                "Clips: expected frames to train on, got only frames that are held out. Hold out "
                "less, or choose more clips."
            )
        held_out_frames = _list_frames(self.clips, held_out=True)
        self._held_out = self._make_clean(held_out_frames, VALIDATION_PAIRS)
        self._samples = self._make_clean(held_out_frames or self._training_frames, SAMPLES)

    def make_batch(self, rng: np.random.Generator) -> Batch:
        """The fields (b, …) of one step."""
        return stack_pairs([self._draw_pair(rng) for _ in range(self.config.batch_size)])

    def _draw_pair(self, rng: np.random.Generator) -> Pair:
        clip, target = self._training_frames[rng.integers(len(self._training_frames))]
        rest = [source for source in clip.sources if source != target]
        return self.make_pair(clip, rest[rng.integers(len(rest))], target, rng)

    def make_pair(
        self,
        clip: Footage,
        source: int,
        target: int,
        rng: np.random.Generator | None = None,
    ) -> Pair:
        """The pair of two frames (h, w, 3) of a clip; `rng` as in `pairs.make_pair`."""
        shot = clip.shots[source]
        shape = shot.image.shape
        view = View.around(shot.landmarks, self.network.config.side_px, (shape[0], shape[1]))
        return make_pair(shot, clip.shots[target], self.mesh, self.rig, view, rng)

    def compute_loss(self, batch: Batch) -> Tensor:
        """The loss () of a batch (b, …)."""
        return compute_loss(self.network, batch)

    def validate(self) -> dict[str, float]:
        """Signal-to-noise ratios in dB on frames that are never trained on, where there are any."""
        if not self._held_out:
            return {}
        batch, out = self.finish(self._held_out)
        mask = torch.ones_like(out[:, 0])
        images = {"whole": out, "moved_whole": batch["photograph"].to(out)}
        target = batch["target"].to(out)
        return {name: measure_psnr(image, target, mask) for name, image in images.items()}

    def finish(self, pairs: Sequence[Pair]) -> tuple[Batch, Tensor]:
        """The fields (b, …) of pairs, and what the network makes of them, (b, 3, h, w)."""
        weight = next(self.network.parameters())
        batch = stack_pairs(pairs)
        geometry = geometry_of(batch).to(weight)
        textures = self.network.texture_encoder(batch["source"].to(weight))
        return batch, self.network.predict(geometry, textures)

    def draw_samples(self) -> Image:
        """(h, w, 3) a row for each of some frames: source, moved, finished, truth.

        Of frames that are held out, where there are any.
        """
        batch, out = self.finish(self._samples)
        columns = batch["source"], batch["photograph"], out, batch["target"]
        pixels = np.concatenate([np.concatenate(to_pixels(part)) for part in columns], axis=1)
        return np.asarray(np.rint(pixels).clip(0, 255), np.uint8)

    def _make_clean(self, frames: Sequence[tuple[Footage, int]], count: int) -> list[Pair]:
        """At most so many pairs, spread over the frames, each from its nearest source."""
        picks = np.unique(np.linspace(0, len(frames) - 1, count).round().astype(int))
        return [
            self.make_pair(clip, clip.nearest_source(target), target)
            for clip, target in (frames[i] for i in picks if frames)
        ]


def _list_frames(clips: Sequence[Footage], *, held_out: bool) -> list[tuple[Footage, int]]:
    """The frames of clips that are held out, or are not; a lone source moves to no other frame."""
    return [
        (clip, int(frame))
        for clip in clips
        for frame in np.flatnonzero(clip.held_out == held_out)
        if set(clip.sources) - {int(frame)}
    ]
