"""A ComfyUI for all tests of nodes, and a short clip in it."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from helpers.host import Comfy, image, speech
from helpers.recorded_faces import TASK
from helpers.tiny_config import tiny_config


@pytest.fixture(scope="session")
def comfy(tmp_path_factory: pytest.TempPathFactory) -> Comfy:
    """ComfyUI; in place of the built-in model it has a smaller random one."""
    torch.set_num_threads(1)  # small operations that wait for a second core are far slower
    host = Comfy(tmp_path_factory.mktemp("comfy"))
    tiny, path = tiny_config(host.core("models.actalker.config")), host.base / "tiny.safetensors"
    torch.manual_seed(0)
    weights = host.core("models.actalker.networks").ACTalker(tiny).state_dict()
    host.core("models.actalker.checkpoint").save(weights, tiny, path, torch.float32)
    for module in (
        host.core("models.actalker.checkpoint.built_in"),
        host.node_module("actalker.bridge.load"),
    ):
        module.BUILT_IN_PATH = path
    # A landmarker in the clone is none of this ComfyUI's.
    host.core("files.model_folders").FOLDER = host.base / "models" / "actalker"
    return host


@pytest.fixture(autouse=True)
def nodes_run_so(comfy: Comfy) -> Any:
    """ComfyUI runs nodes without gradients."""
    with torch.inference_mode():
        yield


@pytest.fixture(scope="session")
def models(comfy: Comfy) -> Any:
    """MODEL, encoders, VAE of the built-in model."""
    with torch.inference_mode():
        return comfy.call("LoadModel", checkpoint="built-in")


@pytest.fixture(scope="session")
def portrait(comfy: Comfy) -> Any:
    with torch.inference_mode():
        return comfy.call("PreparePortrait", image=image(), short_side_px=64, face="whole picture")[
            0
        ]


@pytest.fixture(scope="module")
def landmarker(comfy: Comfy) -> Iterator[None]:
    """MediaPipe's landmarker where ComfyUI's models lie, as long as a module's tests run."""
    link = comfy.base / "models" / "actalker" / TASK.name
    link.symlink_to(TASK)
    yield
    link.unlink()


MakeConditioning = Callable[..., Any]


@pytest.fixture(scope="session")
def make_conditioning(comfy: Comfy, models: Any, portrait: Any) -> MakeConditioning:
    """CONDITIONING, LATENT, … of a short clip; keyword arguments go to the node."""

    def run(frames: int = 4, models: Any = models, **more: Any) -> Any:
        _, encoders, vae = models
        with torch.inference_mode():
            identity = comfy.call("EncodeIdentity", encoders=encoders, portrait=portrait)[0]
            audio = comfy.call("EncodeAudio", encoders=encoders, audio=speech())[0]
            motion = comfy.call(
                "EncodeMotion", encoders=encoders, frames=image(frames=24), face="whole picture"
            )
            signals = {
                "audio_signal": audio,
                "expression_signal": motion[0],
                "pose_signal": motion[1],
            }
            return comfy.call(
                "Conditioning",
                encoders=encoders,
                vae=vae,
                portrait=portrait,
                identity=identity,
                max_frames=frames,
                **(signals | more),
            )

    return run
