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
class Clip:
    """What is sampled.

    Attributes:
        seconds: its length. signals: those that it has.
    """

    seconds: float
    signals: tuple[str, ...]


AUDIO, BOTH = ("audio_signal",), ("audio_signal", "expression_signal")
CLIPS = {
    "audio only, 10 frames": Clip(0.4, AUDIO),
    "both, 10 frames": Clip(0.4, BOTH),
    "audio only, 50 frames": Clip(2.0, AUDIO),
    "both, 50 frames": Clip(2.0, BOTH),
}


class Bench:
    """A ComfyUI with the built-in model."""

    def __init__(self, comfy: Comfy) -> None:
        self.comfy = comfy
        self.sample = importlib.import_module(f"{comfy.package}.nodes.actalker.sample")
        self.model, self.encoders, self.vae = comfy.call("LoadModel", checkpoint="built-in")

    def conditioned(self, clip: Clip) -> dict[str, Any]:
        """CONDITIONING and the latent to begin with."""
        call = self.comfy.call
        picture, face, sound, film, _ = call("DemoMedia", seconds=clip.seconds)
        portrait = call("PreparePortrait", image=picture, face_mask=face, short_side_px=128)[0]
        moved = call("EncodeMotion", encoders=self.encoders, frames=film, face=FACE)
        signals = {
            "audio_signal": call("EncodeAudio", encoders=self.encoders, audio=sound)[0],
            "expression_signal": moved[0],
        }
        identity = call("EncodeIdentity", encoders=self.encoders, portrait=portrait)[0]
        conditioning, latent = call(
            "Conditioning",
            encoders=self.encoders,
            vae=self.vae,
            portrait=portrait,
            identity=identity,
            **{name: signals[name] for name in clip.signals},
        )[:2]
        return {"conditioning": conditioning, "latent": latent}

    def foretold_seconds(self, latent: Any, **given: Any) -> float:
        """What the report says, before it is rounded."""
        with patch.object(self.sample, "time_line", return_value="") as told:
            self.comfy.call("Preflight", **given)
        cost, seconds = told.call_args.args
        return float(cost.evaluations * seconds)

    def row(self, name: str, clip: Clip, steps: int = STEPS) -> str:
        """Of one clip: foretold, taken, and how far apart."""
        given = self.conditioned(clip) | {"model": self.model, "steps": steps}
        told: list[float] = []
        peers = {
            "told": lambda: told.append(self.foretold_seconds(**given)),
            "taken": lambda: self.comfy.call("Sampler", **given),
        }
        taken = median_seconds(peers)["taken"]
        said = statistics.median(told[1:])  # the first one only warmed up
        ratio = said / taken
        verdict = "within" if abs(ratio - 1) <= LIMIT else "OVER"
        return f"   {name:<24}{said:>7.1f} s{taken:>9.1f} s{ratio:>8.2f}×, {verdict} {LIMIT:.0%}"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Comfy(Path(folder)))
        rows = [bench.row(name, clip) for name, clip in CLIPS.items()]
    say(f"\nTime of sampling, {STEPS} steps of the built-in model: foretold, taken, their ratio")
    say("\n".join(rows) + "\n")
