"""What finishing a frame by TGDM costs against a step of the built-in ACTalker, and memory.

A step is one of its sampler for both signals with the paper's masks, per frame, at its own size.
"""

import resource
from collections.abc import Callable
from itertools import cycle, islice

import torch
from helpers.defaults import GUIDANCE
from helpers.photographs import make_numbers, make_photograph

from actalker_core.diffusion.loop import sample
from actalker_core.models.actalker.checkpoint import load_built_in
from actalker_core.models.actalker.defaults import default_windows
from actalker_core.models.actalker.denoiser import Denoiser
from actalker_core.models.tgdm.checkpoint import load_network
from actalker_core.models.tgdm.pipeline import Refinement, refine_frames
from actalker_core.models.tgdm.sampling import Sampling
from benchmarks.harness import median_seconds, say, table
from benchmarks.windows import MODES, conditioning, noise

FRAMES, REPEATS = 10, 3
FEW_FRAMES, MANY_FRAMES = 100, 500
WAYS = {
    "regression": Sampling(),
    "4 steps": Sampling(4),
    "4 steps, texture guided": Sampling(4, texture_scale=2.0),
}


def make_step() -> Callable[[], object]:
    """One step of the built-in model over some frames."""
    model = load_built_in(torch.device("cpu"), torch.float32)
    config, side_px = model.config, model.config.sampling.short_side_px
    like = model.unet.conv_in.weight
    clip = conditioning(config.unet, MODES["both, paper's masks"], FRAMES, side_px, like)
    sigma = config.sampling.sigma_max
    denoiser, start = Denoiser(model.unet, clip), sigma * noise(clip)
    return lambda: sample(denoiser, start, [sigma, 0.0], GUIDANCE, default_windows(config))


def peak_bytes() -> int:
    """The most memory that the process had so far."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Print a table of ratios, and how memory grows with the frames."""
    network, photograph = load_network(), make_photograph(512, 512, 190, (256, 240))
    rows = [(photograph.render(n), n) for n in (make_numbers(yaw=2.0 * i) for i in range(FRAMES))]

    def finish(sampling: Sampling, count: int) -> None:
        for _ in refine_frames(
            Refinement(network, photograph, sampling), islice(cycle(rows), count)
        ):
            pass

    calls = {name: lambda s=sampling: finish(s, FRAMES) for name, sampling in WAYS.items()}
    seconds = median_seconds({"step": make_step(), **calls}, REPEATS)
    say(
        table(
            ("a frame of 512²", "in steps of the built-in model", "ms"),
            [
                (
                    name,
                    f"{seconds[name] / seconds['step']:.2f}",
                    f"{1e3 * seconds[name] / FRAMES:.0f}",
                )
                for name in WAYS
            ],
        )
    )
    finish(Sampling(), FEW_FRAMES)
    before = peak_bytes()
    finish(Sampling(), MANY_FRAMES)
    growth = (peak_bytes() - before) / 1e6
    say(f"memory after {MANY_FRAMES} frames: {growth:+.1f} MB against {FEW_FRAMES} frames")
    say(f"   {peak_bytes() / 1e6:.0f} MB in all, with both models")
