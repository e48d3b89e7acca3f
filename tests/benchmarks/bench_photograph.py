"""What a frame of a moved photograph costs against finding the face in it, and frames per second.

It needs MediaPipe's landmarker; the face is the one of matplotlib's sample portrait.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

import cv2
import numpy as np
import torch
from helpers.photographs import make_numbers
from helpers.recorded_faces import TASK
from matplotlib import cbook

from actalker_core.faces.landmarker import Landmarker
from actalker_core.geometry.mesh import load_mesh
from actalker_core.geometry.numbers import FrameNumbers
from actalker_core.geometry.photograph import Photograph
from actalker_core.geometry.rig import Rig
from actalker_core.media import load_image
from benchmarks.harness import median_seconds, say, table

SIDES_PX = (256, 512, 768, 1024)
REPEATS = 25
FPS_SIDE_PX, FPS_FRAMES = 512, 200


def speech_frame(i: int) -> FrameNumbers:
    """Everything moves: head, eyes, lids, brows and mouth."""
    wave = np.sin(np.arange(1, 8) * (0.3 + 0.11 * i))
    return make_numbers(
        yaw=8 * wave[0],
        pitch=5 * wave[1],
        roll=4 * wave[2],
        gaze=(0.25 * wave[3], 0.1 * wave[4]),
        jawOpen=0.35 + 0.3 * wave[5],
        mouthSmile=0.3,
        browInnerUp=0.3,
        eyeBlink=0.5 + 0.5 * wave[6],
    )


def square_portrait(side: int) -> np.ndarray:
    """(side, side, 3) the sample portrait, its face as large as in a common picture."""
    path = Path(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)))
    pixels = (load_image(path).permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)
    crop = np.ascontiguousarray(pixels[20:500, 20:500])
    return cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)


def main() -> None:
    """Print a table of ratios, and frames per second with one and two threads."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    finder, mesh = Landmarker(TASK), load_mesh(TASK)
    rig = Rig(mesh)
    rows = []
    for side in SIDES_PX:
        pixels = square_portrait(side)
        image = torch.from_numpy(pixels).permute(2, 0, 1)
        (face,) = finder.find(image, "largest")
        photograph = Photograph(pixels, face.landmarks, mesh, rig)
        numbers = cycle([speech_frame(i) for i in range(8)])
        seconds = median_seconds(
            {
                "landmarker": lambda image=image, box=face.box: finder.find_near(image, box),
                "frame": lambda p=photograph, n=numbers: p.render(next(n)),
                "set up": lambda p=pixels, f=face: Photograph(p, f.landmarks, mesh, rig),
            },
            REPEATS,
        )
        rows.append(
            (
                f"{side}²",
                *(f"{seconds[k] / seconds['landmarker']:.2f}" for k in ("frame", "set up")),
            )
        )
        if side == FPS_SIDE_PX:
            fps_photograph = photograph
    say(table(("picture", "a frame, in landmarker calls", "set-up of a portrait"), rows))
    for threads in (1, 2):
        with ThreadPoolExecutor(threads) as pool:
            numbers = [speech_frame(i) for i in range(FPS_FRAMES)]
            start = time.perf_counter()
            for _ in pool.map(fps_photograph.render, numbers):
                pass
            fps = FPS_FRAMES / (time.perf_counter() - start)
        say(f"{FPS_SIDE_PX}², {threads} thread(s) of {os.cpu_count()} cores: {fps:.0f} frames/s")
