"""How the built-in model follows a portrait that numbers move: `python tests/benchmarks bridge`.

The drawn portrait turns and blinks by geometry, its frames drive the model, and what the model
makes is read from the pixels as the training's measures do. Needs the face landmarker; takes
minutes.
"""

import tempfile
from pathlib import Path

import cv2
import numpy as np
import torch

from actalker_core.cli import main as run
from actalker_core.control.motion.columns import build_motion
from actalker_core.control.motion.signal import save_motion
from actalker_core.media import save_image
from actalker_core.synthetic import demo
from actalker_core.synthetic.identities import FaceState, make_identity
from actalker_core.training.evaluation import correlation, state_track
from actalker_core.training.inverse_rendering import fit_states
from benchmarks.harness import say

FRAMES, FPS = 24, 12.5
YAW_DEGREES, YAW_FRAMES, BLINK_FRAMES = 14.0, 13, 8
"""How far and how often the head turns, and how often the eyes close."""


def main() -> None:
    times = torch.arange(FRAMES)
    yaw = YAW_DEGREES * torch.sin(2 * torch.pi * times / YAW_FRAMES)
    blink = 0.5 - 0.5 * torch.cos(2 * torch.pi * times / BLINK_FRAMES)
    courses = {"yaw": yaw, "eyeBlinkLeft": blink, "eyeBlinkRight": blink}
    box = ",".join(f"{edge:.0f}" for edge in demo.locate_face())
    with tempfile.TemporaryDirectory() as folder:
        portrait, numbers, frames = (Path(folder, n) for n in ("p.png", "n.safetensors", "f"))
        save_image(portrait, demo.render_portrait())
        save_motion(numbers, build_motion(courses, FPS, "bench"))
        request = ["generate", "--model", "built-in", "--drive-by", "numbers", "--fps", str(FPS)]
        request += ["--portrait", str(portrait), "--numbers", str(numbers), "--face-box", box]
        if run([*request, "--out", str(frames / "%03d.png")]):
            raise SystemExit("the model made no video")
        images = [cv2.imread(str(path))[..., ::-1].copy() for path in sorted(frames.iterdir())]
    states = fit_states(make_identity(demo.SEED), FaceState(), images)
    heads, eyes = state_track(states, "yaw"), state_track(states, "eyes")
    slope = np.polyfit(yaw.numpy(), heads, 1)[0]
    say(f"yaw: r {correlation(heads, yaw.numpy()):.2f}, slope {slope:.2f}")
    say(f"eyes: r {correlation(eyes, 1 - blink.numpy()):.2f}")
    say(f"   open {eyes[blink < 0.2].mean():.2f}, shut {eyes[blink > 0.8].mean():.2f}")
