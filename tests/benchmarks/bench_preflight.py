"""The time that Preflight foretells against the time that sampling takes: `make bench-preflight`.

It needs a ComfyUI checkout, as the tests of the nodes do.
"""

import importlib
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from helpers.host import Comfy

from benchmarks.harness import median_seconds, say

STEPS, FACE = 12, "whole picture"
LIMIT = 0.15


@dataclass(frozen=True)
class VideoKind:
    """What is sampled.

    Attributes:
        seconds: its length. signals: those that it has.
    """

    seconds: float
    signals: tuple[str, ...]


AUDIO_SIGNAL, BOTH_SIGNALS = ("audio_signal",), ("audio_signal", "expression_signal")
VIDEO_KINDS = {
    "audio only, 10 frames": VideoKind(0.4, AUDIO_SIGNAL),
    "both, 10 frames": VideoKind(0.4, BOTH_SIGNALS),
    "audio only, 50 frames": VideoKind(2.0, AUDIO_SIGNAL),
    "both, 50 frames": VideoKind(2.0, BOTH_SIGNALS),
}


class Bench:
    """A ComfyUI with the built-in model."""

    def __init__(self, comfy: Comfy) -> None:
        self.comfy = comfy
        self.sample = importlib.import_module(f"{comfy.package}.nodes.actalker.sample")
        self.model, self.encoders, self.vae = comfy.call("LoadModel", checkpoint="built-in")

    def condition(self, kind: VideoKind) -> dict[str, Any]:
        """CONDITIONING and the latent to begin with."""
        call = self.comfy.call
        image, face, sound, frames = call("DemoMedia", seconds=kind.seconds)[:4]
        portrait = call("PreparePortrait", image=image, face_mask=face, short_side_px=128)[0]
        motion = call("EncodeMotion", encoders=self.encoders, frames=frames, face=FACE)
        signals = {
            "audio_signal": call("EncodeAudio", encoders=self.encoders, audio=sound)[0],
            "expression_signal": motion[0],
        }
        identity = call("EncodeIdentity", encoders=self.encoders, portrait=portrait)[0]
        conditioning, latent = call(
            "Conditioning",
            encoders=self.encoders,
            vae=self.vae,
            portrait=portrait,
            identity=identity,
            **{name: signals[name] for name in kind.signals},
        )[:2]
        return {"conditioning": conditioning, "latent": latent}

    def foretold_seconds(self, latent: Any, **inputs: Any) -> float:
        """What the report says, before it is rounded."""
        with patch.object(self.sample, "time_line", return_value="") as line:
            self.comfy.call("Preflight", **inputs)
        cost, seconds = line.call_args.args
        return float(cost.evaluations * seconds)

    def row(self, name: str, kind: VideoKind, steps: int = STEPS) -> str:
        """Of one clip: foretold, taken, and how far apart."""
        inputs = self.condition(kind) | {"model": self.model, "steps": steps}
        estimates: list[float] = []
        peers = {
            "preflight": lambda: estimates.append(self.foretold_seconds(**inputs)),
            "sampling": lambda: self.comfy.call("Sampler", **inputs),
        }
        seconds = median_seconds(peers)["sampling"]
        estimate = statistics.median(estimates[1:])  # the first one only warmed up
        ratio = estimate / seconds
        verdict = "within" if abs(ratio - 1) <= LIMIT else "OVER"
        return (
            f"   {name:<24}{estimate:>7.1f} s{seconds:>9.1f} s{ratio:>8.2f}×, {verdict} {LIMIT:.0%}"
        )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Comfy(Path(folder)))
        rows = [bench.row(name, kind) for name, kind in VIDEO_KINDS.items()]
    say(f"\nTime of sampling, {STEPS} steps of the built-in model: foretold, taken, their ratio")
    say("\n".join(rows) + "\n")
