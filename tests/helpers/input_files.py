"""Files of an artist, for graphs that begin with Load Image, Load Audio and Load Video."""

import wave
from pathlib import Path

import av
import matplotlib
import numpy as np
from PIL import Image

PHOTOGRAPH, SPEECH, CLIP = "a_photograph.png", "a_speech.wav", "b_clip.mp4"
"""Each is the first of its kind in a list, which is chosen where a graph names none."""
SIZE = 256, 300
RATE_HZ, FPS, SECONDS = 16000, 25, 2.0


def write_input_files(folder: Path) -> None:
    """Write a portrait, a tone that swells as speech does, and a video of the portrait."""
    folder.mkdir(parents=True, exist_ok=True)
    source = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    with Image.open(source) as image:
        portrait = image.convert("RGB").resize(SIZE)
    portrait.save(folder / PHOTOGRAPH)
    _write_speech(folder / SPEECH)
    _write_clip(folder / CLIP, np.asarray(portrait))


def _write_speech(path: Path) -> None:
    seconds = np.arange(int(SECONDS * RATE_HZ)) / RATE_HZ
    tone = np.sin(2 * np.pi * 180 * seconds) * np.sin(2 * np.pi * 2 * seconds) ** 2
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((12000 * tone).astype("<i2").tobytes())


def _write_clip(path: Path, portrait: np.ndarray) -> None:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", FPS)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for i in range(int(SECONDS * FPS)):
            shift = np.roll(portrait, round(3 * np.sin(i / 8)), axis=1)
            file.mux(stream.encode(av.VideoFrame.from_ndarray(shift, "rgb24")))
        file.mux(stream.encode())
