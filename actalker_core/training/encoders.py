"""The second stage: encoders that know what they see and hear, because the world tells them."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..bundle import Encoders
from ..config import ModelConfig
from ..encoders.audio import PIECE_SAMPLES, STATES_PER_SECOND, WhisperEncoder, log_mel, states_in
from ..encoders.identity import INPUT_PX as HEAD_PX
from ..encoders.motion import INPUT_PX, wide
from ..faces.box import Box, square, whole
from ..portrait import crop_resized
from .motion import random_state
from .people import BEARDS, GLASSES, HAIR_STYLES, Person, State, draw_person
from .speech import RATE_HZ, Speech, random_speech
from .stage import Recipe, held_out_generators
from .world import SIDE_PX, draw

Array = NDArray[np.float64]

EXPRESSIONS = (
    "eye_left",
    "eye_right",
    "brows",
    "gaze_x",
    "gaze_y",
    "smile",
    "open",
    "wide",
    "round",
)
"""What the first expression features are, each in −1…1; the next one is 1 where a face is seen."""
FROM_ZERO = ("eye_left", "eye_right", "open", "round")
"""These run from 0 to 1 in the world."""
ROTATIONS = ("pitch", "yaw", "roll")
"""Order of the head rotation."""
WHOLE_SHARE = 0.2
"""How often nobody says where the face is, and all of the picture stands for it."""
DEGREES_PER_UNIT = 10.0
"""An error of so many degrees counts as much as one of 1 elsewhere."""


def expression_of(state: State) -> list[float]:
    """What the expression encoder shall say about a face."""
    values = [getattr(state, name) for name in EXPRESSIONS]
    scaled = [2 * v - 1 if n in FROM_ZERO else v for n, v in zip(EXPRESSIONS, values, strict=True)]
    return [*scaled, 1.0]


def rotation_of(state: State) -> list[float]:
    """What the pose encoder shall say about a head, in degrees."""
    return [getattr(state, name) for name in ROTATIONS]


def description_of(person: Person) -> list[float]:
    """What can be read off a face about whose it is, each number of order 1."""
    colours = [(v - 128) / 64 for c in (person.skin, person.hair, person.lips) for v in c]
    shape = [person.width, person.height, person.jaw, person.eye_size, person.brow, person.nose]
    kinds = [
        float(kind == which)
        for which, count in (
            (person.hair_style, HAIR_STYLES),
            (person.glasses, GLASSES),
            (person.beard, BEARDS),
        )
        for kind in range(count)
    ]
    return colours + [4 * (v - 1) for v in shape] + kinds


# What they see -----------------------------------------------------------------------------------


class Watchers:
    """Expression, head pose and identity, learnt from the same pictures."""

    name = "watchers"

    def __init__(self, config: ModelConfig, recipe: Recipe) -> None:
        self.recipe = recipe
        encoders = Encoders(config)
        self.expression = encoders.expression_encoder
        self.head_pose = encoders.head_pose_encoder
        self.identity = encoders.identity_encoder
        told = len(description_of(draw_person(0)))
        self.describe = nn.Linear(config.identity_encoder.output_dim, told)
        self.network: nn.Module = nn.ModuleDict(
            {
                "expression_encoder": self.expression,
                "head_pose_encoder": self.head_pose,
                "identity_encoder": self.identity,
                "describe": self.describe,
            }
        )

    def loss(self, rng: np.random.Generator, step: int) -> Tensor:
        """Squared errors of all three."""
        return torch.stack(list(self._errors(rng, self.recipe.batch).values())).sum()

    def held_out(self) -> dict[str, float]:
        """Errors on people that are never trained on."""
        (rng,) = held_out_generators(1)
        return {name: float(value) for name, value in self._errors(rng, 32).items()}

    def _errors(self, rng: np.random.Generator, count: int) -> dict[str, Tensor]:
        faces, heads, portraits, truths = self._batch(rng, count)
        expression, rotation, description = truths
        degrees, _ = self.head_pose(heads * 2 - 1)
        return {
            "expression": F.mse_loss(self.expression(faces), expression),
            "rotation": F.mse_loss(degrees / DEGREES_PER_UNIT, rotation / DEGREES_PER_UNIT),
            "identity": F.mse_loss(self.describe(self.identity(portraits * 2 - 1)), description),
        }

    def _batch(
        self, rng: np.random.Generator, count: int
    ) -> tuple[Tensor, Tensor, Tensor, tuple[Tensor, Tensor, Tensor]]:
        people = [draw_person(int(rng.integers(1 << 31))) for _ in range(count)]
        states = [random_state(rng) for _ in range(count)]
        shown = [draw(*both) for both in zip(people, states, strict=True)]
        pictures = [torch.from_numpy(d.picture).permute(2, 0, 1)[None] / 255 for d in shown]
        boxes = [loosely(rng, d.face) for d in shown]
        cut = list(zip(pictures, boxes, strict=True))
        device = self.describe.weight.device

        def told(rows: list[list[float]]) -> Tensor:
            return torch.tensor(rows, device=device)

        return (
            torch.cat([crop_resized(p, square(box), INPUT_PX) for p, box in cut]).to(device),
            torch.cat([crop_resized(p, wide(box), INPUT_PX) for p, box in cut]).to(device),
            torch.cat([crop_resized(p, box, HEAD_PX) for p, box in cut]).to(device),
            (
                told([expression_of(s) for s in states]),
                told([rotation_of(s) for s in states]),
                told([description_of(p) for p in people]),
            ),
        )


def loosely(rng: np.random.Generator, box: Box) -> Box:
    """A box as a finder or a hand may draw it: moved by up to 8 %, sized within 10 %, or all."""
    if rng.random() < WHOLE_SHARE:
        return whole(SIDE_PX, SIDE_PX)
    width, height = box[2] - box[0], box[3] - box[1]
    x, y = rng.uniform(-0.08, 0.08, 2) * (width, height)
    grow_x, grow_y = rng.uniform(-0.05, 0.05, 2) * (width, height)
    return box[0] + x - grow_x, box[1] + y - grow_y, box[2] + x + grow_x, box[3] + y + grow_y


# What they hear ----------------------------------------------------------------------------------


class Listener:
    """Hidden states of speech from which the mouth can be read off."""

    name = "listener"
    pieces = 24
    """Half minutes of speech in the library that is trained on."""

    def __init__(self, config: ModelConfig, recipe: Recipe) -> None:
        self.recipe = recipe
        self.encoder = WhisperEncoder(config.audio_encoder)
        with torch.no_grad():
            self.encoder.embed_positions.weight.copy_(_waves(self.encoder.embed_positions.weight))
        self.mel_bins = config.audio_encoder.num_mel_bins
        self.read = nn.Linear(config.audio_encoder.d_model, 3)
        self.network: nn.Module = nn.ModuleDict({"audio_encoder": self.encoder, "read": self.read})
        self._library: list[tuple[Tensor, Tensor]] = []

    def loss(self, rng: np.random.Generator, step: int) -> Tensor:
        """Squared error of open, wide and round at every hidden state."""
        if not self._library:
            seeded = np.random.default_rng(self.recipe.seed)
            self._library = [_piece(seeded, self.mel_bins) for _ in range(self.pieces)]
        chosen = rng.integers(self.pieces, size=self.recipe.batch)
        return torch.stack([self._error(*self._library[i]) for i in chosen]).mean()

    def held_out(self) -> dict[str, float]:
        """The same on voices and words that are never trained on."""
        pieces = [_piece(rng, self.mel_bins) for rng in held_out_generators(2)]
        return {"mouth": float(torch.stack([self._error(*piece) for piece in pieces]).mean())}

    def _error(self, mel: Tensor, mouth: Tensor) -> Tensor:
        device = self.read.weight.device
        states = self.encoder(mel.to(device))[:, : len(mouth)]
        last: Tensor = self.read(states[0, :, -1])
        return F.mse_loss(last, mouth.to(device))


def _piece(rng: np.random.Generator, mel_bins: int) -> tuple[Tensor, Tensor]:
    """Up to half a minute by two voices: (1, mels, 3000) and the mouth at each state (s, 3)."""
    seconds = rng.uniform(1, 15, 2)
    said = [random_speech(rng, float(s)) for s in seconds]
    samples = torch.from_numpy(np.concatenate([s.samples for s in said]))[:PIECE_SAMPLES]
    mouth = np.concatenate([mouth_at_states(s) for s in said])[: states_in(len(samples))]
    return log_mel(samples, mel_bins), torch.from_numpy(mouth).float()


def mouth_at_states(speech: Speech) -> Array:
    """(s, 3) the mouth in the middle of each hidden state."""
    count = len(speech.samples) * STATES_PER_SECOND // RATE_HZ
    return speech.mouth_at((np.arange(count) + 0.5) / STATES_PER_SECOND)


def _waves(like: Tensor) -> Tensor:
    """Sinusoidal positions, as Whisper's. Source: arXiv 1706.03762, section 3.5."""
    length, width = like.shape
    rates = torch.exp(-np.log(10_000) * torch.arange(width // 2) / (width // 2 - 1))
    angles = torch.arange(length)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
