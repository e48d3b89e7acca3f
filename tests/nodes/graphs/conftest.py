"""Graphs as the server queues them."""

import wave
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from helpers.graphs import (
    FPS,
    FRAMES,
    PICTURE,
    SECONDS,
    SOUND,
    Graph,
)
from helpers.host import Comfy, image, speech
from PIL import Image


@pytest.fixture(scope="module", autouse=True)
def media(comfy: Comfy) -> None:
    """A picture and speech in the input folder."""
    folder = comfy.base / "input"
    pixels = (image()[0].numpy() * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(folder / PICTURE)
    samples = (speech(SECONDS)["waveform"][0, 0].numpy() * 32767).astype("<i2")
    with wave.open(str(folder / SOUND), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())


@pytest.fixture
def node(comfy: Comfy) -> Callable[..., Any]:
    return comfy.node


@pytest.fixture
def separate(node: Callable[..., Any]) -> Graph:
    """Every step as a node of its own."""
    load = node("LoadModel", checkpoint="built-in")
    encoders, vae = ["load", 1], ["load", 2]
    return {
        "picture": node("LoadImage", image=PICTURE),
        "sound": node("LoadAudio", audio=SOUND),
        "driving": node("RepeatImageBatch", image=["picture", 0], amount=FRAMES),
        "load": load,
        "portrait": node(
            "PreparePortrait", image=["picture", 0], short_side_px=64, face="whole picture"
        ),
        "identity": node("EncodeIdentity", encoders=encoders, portrait=["portrait", 0]),
        "encode_audio": node("EncodeAudio", encoders=encoders, audio=["sound", 0]),
        "encode_motion": node(
            "EncodeMotion",
            encoders=encoders,
            frames=["driving", 0],
            frames_per_second=FPS,
            face="whole picture",
        ),
        "regions": node("RegionMasks", portrait=["portrait", 0]),
        "curve": node("Curve", curve_text="1"),
        "gates": node("Gates", audio_curve=["curve", 0]),
        "conditioning": node(
            "Conditioning",
            encoders=encoders,
            vae=vae,
            portrait=["portrait", 0],
            identity=["identity", 0],
            audio_signal=["encode_audio", 0],
            expression_signal=["encode_motion", 0],
            pose_signal=["encode_motion", 1],
            audio_mask=["regions", 0],
            expression_mask=["regions", 1],
            gates=["gates", 0],
            audio=["sound", 0],
        ),
        "windows": node("Windows", model=["load", 0], window_frames=4),
        "sampler": node(
            "Sampler",
            model=["windows", 0],
            conditioning=["conditioning", 0],
            latent=["conditioning", 1],
            steps=2,
        ),
        "decode": node("Decode", vae=vae, latent=["sampler", 0]),
        "video": node(
            "CreateVideo",
            images=["decode", 0],
            fps=["conditioning", 3],
            audio=["conditioning", 4],
        ),
        "save": node(
            "SaveVideo",
            video=["video", 0],
            filename_prefix="graphs/separate",
            format="auto",
            codec="auto",
        ),
    }


@pytest.fixture
def talk(node: Callable[..., Any]) -> Callable[..., Graph]:
    def make(audio: bool, driving: bool, **more: Any) -> Graph:
        inputs: dict[str, Any] = {"audio": ["sound", 0]} if audio else {}
        inputs |= {"driving_frames": ["driving", 0]} if driving else {}
        return {
            "picture": node("LoadImage", image=PICTURE),
            "sound": node("LoadAudio", audio=SOUND),
            "driving": node("RepeatImageBatch", image=["picture", 0], amount=FRAMES),
            "load": node("LoadModel", checkpoint="built-in"),
            "talk": node(
                "Talk",
                model=["load", 0],
                encoders=["load", 1],
                vae=["load", 2],
                portrait_image=["picture", 0],
                frames_per_second=FPS,
                steps=2,
                short_side_px=64,
                face="whole picture",
                **(inputs | more),
            ),
            "preview": node("PreviewImage", images=["talk", 0]),
        }

    return make
