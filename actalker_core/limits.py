"""What numbers may be: one place for the core, the command line and the widgets of ComfyUI."""

from dataclasses import dataclass
from typing import Any, TypeVar

from .errors import InputError, quoted

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Limits:
    """The least and the most of a number.

    Attributes:
        name: for errors.
        whole: whether fractions are refused.
    """

    name: str
    least: float
    most: float
    whole: bool = False

    @property
    def expected(self) -> str:
        """In words."""
        if self.whole:
            return f"a whole number from {self.least:,} to {self.most:,}"
        return f"a number from {self.least:,g} to {self.most:,g}"

    @property
    def widget(self) -> dict[str, Any]:
        """As ComfyUI's inputs take them."""
        return {"min": self.least, "max": self.most}

    def hold(self, value: object) -> bool:
        """Whether it is a number between them; NaN is none."""
        kinds = int if self.whole else (int, float)
        is_number = isinstance(value, kinds) and not isinstance(value, bool)
        return is_number and self.least <= value <= self.most  # type: ignore[operator]

    def check(self, value: Number) -> Number:
        """The number itself.

        Raises:
            InputError: it lies outside, or is none.
        """
        if not self.hold(value):
            raise InputError(
                f"{self.name}: expected {self.expected}, got {quoted(value)}. Choose one of these."
            )
        return value


FRAMES = Limits("Frames", 1, 100_000, whole=True)
FPS = Limits("Frames per second", 1.0, 120.0)
SHORT_SIDE_PX = Limits("Size", 64, 2048, whole=True)
EXPAND = Limits("Expand", 1.0, 20.0)
LONGEST_TO_SHORTEST = 3.0
"""A longer picture is cut to this, around the face."""
ASPECT = Limits("Aspect", 1 / LONGEST_TO_SHORTEST, LONGEST_TO_SHORTEST)
GROW_PX = Limits("Grow", -256, 256, whole=True)
FEATHER_PX = Limits("Feather", 0, 512, whole=True)
SEED = Limits("The seed", 0, 2**64 - 1, whole=True)
STEPS = Limits("Steps", 1, 1000, whole=True)
DENOISE = Limits("Denoise", 0.01, 1.0)
STRENGTH = Limits("Strength of the words", -10.0, 10.0)
TEMPERATURE = Limits("Temperature", 1e-30, 1e30)
SECONDS = Limits("Seconds", 0.05, 36_000.0)
GUIDANCE = Limits("Guidance", 0.0, 30.0)
SIGMA = Limits("Noise level", 0.0, 1000.0)
REUSE_STEPS = Limits("Steps that share guidance", 1, 100, whole=True)
PASSES = Limits("Passes", 1, 4, whole=True)
WINDOW_FRAMES = Limits("Frames of a window", 1, 1000, whole=True)
OVERLAP_FRAMES = Limits("Overlap of windows", 0, 999, whole=True)
SHIFT_FRAMES = Limits("Shift of windows", 0, 1000, whole=True)
