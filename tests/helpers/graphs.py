"""What whole graphs are made of, and what came of them."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import av
import torch
from torch import Tensor

from helpers.host import Comfy

SECONDS, FPS = 0.5, 12.5
FRAMES = 6
PICTURE, SOUND = "graphs_face.png", "graphs_speech.wav"
Graph = dict[str, Any]


def value(comfy: Comfy, name: str, slot: int = 0) -> Any:
    return comfy.output(name, slot)


def run_graph(comfy: Comfy, graph: Graph) -> Any:
    run = comfy.queue(deepcopy(graph))
    assert run.success, (run.error, run.message)
    return run


def assert_clip(frames: Tensor, count: int = FRAMES, side: int = 64) -> None:
    assert frames.shape == (count, side, side, 3)
    assert frames.dtype == torch.float32
    assert frames.isfinite().all()
    assert frames.min() >= 0
    assert frames.max() <= 1


def find_newest(comfy: Comfy, prefix: str) -> Path:
    return sorted((comfy.base / "output" / "graphs").glob(f"{prefix}_*"))[-1]


def read_video(comfy: Comfy, prefix: str) -> tuple[int, float, float | None]:
    """Frames, frame rate and seconds of sound of the newest video."""
    with av.open(str(find_newest(comfy, prefix))) as file:
        rate = float(file.streams.video[0].average_rate)
        frames = sum(1 for _ in file.decode(video=0))
    with av.open(str(find_newest(comfy, prefix))) as file:
        if not file.streams.audio:
            return frames, rate, None
        samples = sum(frame.samples for frame in file.decode(audio=0))
        return frames, rate, samples / file.streams.audio[0].rate
