"""What numbers may be: one place for the core, the command line and the widgets of ComfyUI."""

from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import InputError, quote

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Limits:
    """A closed interval of numbers.

    Attributes:
        name: for errors.
        minimum, maximum: inclusive.
        integer: whether fractions are refused.
    """

    name: str
    minimum: float
    maximum: float
    integer: bool = False

    @property
    def expected(self) -> str:
        """The interval in words, for errors and help."""
        if self.integer:
            return f"a whole number from {self.minimum:,} to {self.maximum:,}"
        return f"a number from {self.minimum:,g} to {self.maximum:,g}"

    @property
    def widget(self) -> dict[str, Any]:
        """Keyword arguments of ComfyUI's number inputs: `min` and `max`."""
        return {"min": self.minimum, "max": self.maximum}

    def contains(self, value: object) -> bool:
        """Whether a value is a number in the interval; NaN and booleans are none."""
        kinds = int if self.integer else (int, float)
        is_number = isinstance(value, kinds) and not isinstance(value, bool)
        return is_number and self.minimum <= value <= self.maximum  # type: ignore[operator]

    def check(self, value: Number, alternative: str = "") -> Number:
        """Return the value unchanged.

        Args:
            alternative: what else the caller takes, for the error.

        Raises:
            InputError: it lies outside, or is no number.
        """
        if not self.contains(value):
            expected = f"{self.expected}, or {alternative}" if alternative else self.expected
            raise InputError(
                f"{self.name}: expected {expected}, got {quote(value)}. Choose a value in this "
                "range."
            )
        return value


FRAMES = Limits("Frames", 1, 100_000, integer=True)
FPS = Limits("Frames per second", 1.0, 120.0)
SHORT_SIDE_PX = Limits("Size", 64, 2048, integer=True)
AMOUNT = Limits("Amount of a group", -3.0, 3.0)
PHOTOGRAPH_SIDE_PX = Limits("Longer side of a photograph", 16, 4096, integer=True)
EXPAND = Limits("Expand", 1.0, 20.0)
LONGEST_TO_SHORTEST = 3.0
"""A longer image is cut to this, around the face."""
ASPECT = Limits("Aspect", 1 / LONGEST_TO_SHORTEST, LONGEST_TO_SHORTEST)
GROW_PX = Limits("Grow", -256, 256, integer=True)
IMAGE_SHARE = Limits("Share of the image", -1.0, 2.0)
"""Of its width or height; what is drawn may reach beyond it."""
BRUSH_RADIUS = Limits("Radius of the brush", 0.0005, 0.5)
"""As a share of the image's width."""
FEATHER_PX = Limits("Feather", 0, 512, integer=True)
SEED = Limits("The seed", 0, 2**64 - 1, integer=True)
STEPS = Limits("Steps", 1, 1000, integer=True)
DENOISE = Limits("Denoise", 0.01, 1.0)
STRENGTH = Limits("Strength of the words", -10.0, 10.0)
BLENDSHAPE = Limits("Blendshape", -1.0, 1.0)
HAND = Limits("A number by hand", -2.0, 2.0)
"""1 is as much as a face does; more exaggerates."""
HAND_DEGREES = Limits("An angle by hand", -90.0, 90.0)
HAND_GAZE = Limits("A gaze by hand", -1.5, 1.5)
HAND_SCALE = Limits("A scale by hand", 0.25, 4.0)
HAND_SHIFT = Limits("A shift by hand", -2.0, 2.0)
MOUTH_AMOUNT = Limits("Amount of the mouth", 0.0, 3.0)
LIP_OFFSET_MS = Limits("Offset of the lips in milliseconds", -2000.0, 2000.0)
IDLE_AMOUNT = Limits("Amount of idle life", 0.0, 3.0)
TEMPERATURE = Limits("Temperature", 1e-30, 1e30)
SECONDS = Limits("Seconds", 0.05, 36_000.0)
NEUTRAL_SECONDS = Limits("Neutral time", 0.0, SECONDS.maximum)
GUIDANCE = Limits("Guidance", 0.0, 30.0)
REFINE_STEPS = Limits("Steps of the refinement", 0, 100, integer=True)
REFINE_NOISE = Limits("Noise of the refinement", 0.03, 2.0)
TRAINING_STEPS = Limits("Steps of the training", 1, 1_000_000, integer=True)
TRAINING_MINUTES = Limits("Minutes of the training", 0.01, 100_000.0)
HOLD_OUT_SHARE = Limits("Share that is held out", 0.0, 0.8)
SIGMA = Limits("Noise level", 0.0, 1000.0)
REUSE_STEPS = Limits("Steps that share guidance", 1, 100, integer=True)
PASSES = Limits("Passes", 1, 4, integer=True)
WINDOW_FRAMES = Limits("Frames of a window", 1, 1000, integer=True)
DECODE_FRAMES = Limits("Frames decoded together", 1, 1000, integer=True)
OVERLAP_FRAMES = Limits("Overlap of windows", 0, 999, integer=True)
SHIFT_FRAMES = Limits("Shift of windows", 0, 1000, integer=True)
MAX_TEXT_LENGTH = 250_000
"""Characters; some 20,000 keys of a gate. A longer text is a file in the wrong place."""
