"""Clips out."""

import os
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor

from ..errors import MediaError
from ..files import make_folder
from .audio import Audio

QUALITY = {"crf": "16", "preset": "medium"}


def write_video(
    path: Path, chunks: Iterable[Tensor], fps: float, audio: Audio | None = None
) -> int:
    """Write an H.264 mp4, with AAC sound if there is any; `path` appears only when whole.

    Args:
        chunks: (n, 3, H, W) in 0…1; even sides.

    Returns:
        The number of frames written.
    """
    unfinished = path.with_name(f".{path.stem}.part.mp4")
    make_folder(path)
    try:
        with av.open(str(unfinished), "w", format="mp4") as container:
            count = _encode(container, chunks, Fraction(fps).limit_denominator(1001), audio)
        if not count:
            raise MediaError(f"{path}: no frame came to be written. Check what was to be shown.")
        os.replace(unfinished, path)
    except (OSError, av.error.FFmpegError) as error:
        raise MediaError(f"{path}: cannot be written ({error}). Check folder and space.") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return count


def _encode(container: Any, chunks: Iterable[Tensor], rate: Fraction, audio: Audio | None) -> int:
    video = container.add_stream("libx264", rate=rate, options=QUALITY)
    video.pix_fmt = "yuv420p"
    sound = None if audio is None else _add_sound(container, audio.playable())
    count = 0
    for chunk in chunks:
        pixels = (chunk * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        if not count:
            video.height, video.width = pixels.shape[1:3]
            if sound is not None:
                _encode_sound(container, *sound)
        for picture in pixels:
            container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            count += 1
    if count:
        container.mux(video.encode(None))
    return count


def _add_sound(container: Any, audio: Audio) -> tuple[Any, Audio]:
    layout = "mono" if len(audio.samples) == 1 else "stereo"
    stream = container.add_stream("aac", rate=audio.rate_hz, layout=layout)
    stream.bit_rate = 192_000
    return stream, audio


def _encode_sound(container: Any, stream: Any, audio: Audio) -> None:
    samples = np.ascontiguousarray(audio.samples, dtype=np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=stream.layout.name)
    frame.sample_rate = audio.rate_hz
    frame.pts = 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
