"""A release in miniature: the files of the released model, at the sizes of the tiny variant."""

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.cli_media import (
    FACES,
    Animate,
    Media,
    Video,
    moving,
    request_of,
    watch,
    write_picture,
    write_speech,
)
from helpers.formula import fill_weights
from helpers.recorded_faces import TASK
from helpers.tiny import TINY, tiny_model
from safetensors.torch import save_file
from torch import Tensor

from actalker_core.cli import commands, main
from actalker_core.geometry.mesh import FaceMesh, load_mesh
from actalker_core.media import write_video
from actalker_core.models.actalker.checkpoint import built_in, convert, save
from actalker_core.models.actalker.networks import ACTalker

Weights = dict[str, Tensor]

PTH_FILES = {
    "unet": "unet-1.pth",
    "pose_guider": "pose_guider-1.pth",
    "audio_projection": "audio_linear-1.pth",
    "identity_projection": "id_proj_model-1.pth",
    "expression_projection": "vasa_linear-1.pth",
    "identity_encoder": "backbone.pth",
}
STRAY_TENSORS = {"unrelated.weight": torch.ones(2)}
LDM_NAMES = (
    (r"conv_norm_out\.", "norm_out."),
    (r"time_conv_out\.", "conv_out.time_mix_conv."),
    (r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample"),
    (r"down_blocks\.(\d+)\.resnets", r"down.\1.block"),
    (r"mid_block\.resnets\.0", "mid.block_1"),
    (r"mid_block\.resnets\.1", "mid.block_2"),
    (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
    (r"mid_block\.attentions\.0\.to_([qkv])", r"mid.attn_1.\1"),
    (r"mid_block\.attentions\.0\.to_out\.0", "mid.attn_1.proj_out"),
    (r"spatial_res_block\.", ""),
    (r"temporal_res_block\.norm1", "time_stack.in_layers.0"),
    (r"temporal_res_block\.conv1", "time_stack.in_layers.2"),
    (r"temporal_res_block\.norm2", "time_stack.out_layers.0"),
    (r"temporal_res_block\.conv2", "time_stack.out_layers.3"),
    (r"time_mixer\.mix_factor", "mix_factor"),
    (r"conv_shortcut", "nin_shortcut"),
)
"""diffusers' names -> those of the single file; its way up counts levels from the end."""


def below(weights: Weights, prefix: str) -> Weights:
    tensors = {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}
    return {key: value.clone() for key, value in tensors.items()}


def above(weights: Weights, prefix: str) -> Weights:
    return {prefix + key: value.clone() for key, value in weights.items()}


def adapter_of(unet: Weights) -> Weights:
    """The UNet's signal projections under the names of the adapter file."""
    parts = {key: re.split(r"(?=to_[kv]_ip)", key) for key in unet if "_ip." in key}
    layers = list(dict.fromkeys(layer for layer, _ in parts.values()))
    return {f"{layers.index(layer)}.{name}": unet[key] for key, (layer, name) in parts.items()}


def ldm_name(key: str, levels: int) -> str:
    for ours, theirs in LDM_NAMES:
        key = re.sub(ours, theirs, key)
    up = re.match(r"decoder\.up_blocks\.(\d+)\.(resnets|upsamplers\.0)(.+)", key)
    if up is None:
        return key
    kind = {"resnets": "block", "upsamplers.0": "upsample"}[up[2]]
    return f"decoder.up.{levels - 1 - int(up[1])}.{kind}{up[3]}"


def as_ldm(vae: Weights, levels: int) -> Weights:
    """An autoencoder as the single file of SVD writes it: no `quant_conv`, 1×1 attention."""
    return {
        ldm_name(key, levels): value[..., None, None]
        if "attentions" in key and value.ndim == 2
        else value
        for key, value in vae.items()
        if not key.startswith("quant_conv.")
    }


def write_released(folder: Path, weights: Weights) -> None:
    whisper, vae = folder / "whisper-tiny", folder / "svd" / "vae"
    whisper.mkdir(parents=True)
    vae.mkdir(parents=True)
    for part, name in PTH_FILES.items():
        torch.save(below(weights, f"{part}."), folder / name)
    torch.save(adapter_of(below(weights, "unet.")), folder / "adapter_module-1.pth")
    expression = above(below(weights, "expression_encoder."), "expression_model.")
    pose = below(weights, "head_pose_encoder.")
    motion = {"generator": expression | STRAY_TENSORS, "pose_model": pose, "step": 7}
    torch.save(motion, folder / "motion.ckpt")
    encoder = above(below(weights, "audio_encoder."), "model.encoder.")
    decoder = above(STRAY_TENSORS, "model.decoder.")
    save_file(encoder | decoder, whisper / "model.safetensors")
    save_file(below(weights, "vae."), vae / "diffusion_pytorch_model.safetensors")


@pytest.fixture(scope="session")
def weights() -> Weights:
    """Every tensor of the tiny variant; no two are alike, so that none can pass for another."""
    return fill_weights(ACTalker(TINY), 1).state_dict()


@pytest.fixture(scope="session")
def release_template(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "released"
    write_released(folder, weights)
    return folder


@pytest.fixture
def release_folder(release_template: Path, tmp_path: Path) -> Path:
    """A released folder of the test's own; its files are links: unlink before you write."""
    folder = tmp_path / "released"
    shutil.copytree(release_template, folder, copy_function=os.link)
    return folder


@pytest.fixture(scope="session")
def single_svd(weights: Weights, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SVD as one file, the autoencoder among other networks."""
    levels = len(TINY.vae.block_out_channels)
    vae = above(as_ldm(below(weights, "vae."), levels), "first_stage_model.")
    other_networks = above(STRAY_TENSORS, "model.diffusion_model.") | above(
        STRAY_TENSORS, "conditioner."
    )
    path = tmp_path_factory.mktemp("svd") / "svd_xt_1_1.safetensors"
    save_file({k: v.contiguous() for k, v in (vae | other_networks).items()}, path)
    return path


@pytest.fixture(scope="session")
def checkpoint(release_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The released folder, converted without loss."""
    out = tmp_path_factory.mktemp("converted") / "tiny.safetensors"
    convert(release_template, out, torch.float32, config=TINY)
    return out


@pytest.fixture(scope="session")
def mesh() -> FaceMesh:
    """The canonical face."""
    if not TASK.is_file():
        pytest.skip("no face_landmarker.task in shared/")
    return load_mesh(TASK)


# The command line ---------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    folder = tmp_path_factory.mktemp("media")
    x, y = np.meshgrid(np.linspace(0, 255, 96), np.linspace(0, 255, 160))
    write_picture(folder / "portrait.png", np.stack([x, y, 255 - x], axis=2))
    write_picture(folder / "white.png", np.full((160, 96, 3), 255))
    write_picture(folder / "black.png", np.zeros((160, 96, 3)))
    write_picture(folder / "left.png", np.stack([255 * (x < 128)] * 3, axis=2))
    write_picture(folder / "square.png", np.full((160, 160, 3), 255))
    write_picture(folder / "small.png", np.stack([x, y, 255 - x], axis=2)[:64, :64])
    write_speech(folder / "speech.wav")
    write_video(folder / "driving.mp4", [moving(10)], 25)
    (folder / "notes.txt").write_text("neither picture nor sound nor video")
    return Media(folder)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out" / "talk.mp4"


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tiny") / "tiny.safetensors"
    save(tiny_model().state_dict(), TINY, path, torch.float32)
    return path


@pytest.fixture
def quick_models(tiny_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the built-in model a smaller random one."""
    monkeypatch.setattr(built_in, "BUILT_IN_PATH", tiny_file)


@pytest.fixture
def convert_tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """`convert` takes a release of the tiny model's sizes."""
    monkeypatch.setattr(commands, "convert", partial(commands.convert, config=TINY))


@pytest.fixture
def animate(media: Media, out: Path, monkeypatch: pytest.MonkeyPatch) -> Animate:
    """Run `generate` with "audio", "driving" or both, and more options."""
    frames: list[Tensor] = []

    def write(path: Path, chunks: Iterable[Tensor], *rest: Any) -> int:
        frames.extend(chunks)
        return write_video(path, frames, *rest)

    def run(signals: str, *options: str, faces: tuple[str, ...] = FACES) -> Video:
        frames.clear()
        assert main(request_of(media, out, signals, *options, faces=faces)) == 0
        assert [file.name for file in out.parent.iterdir()] == [out.name]
        return replace(watch(out), frames=torch.cat(frames))

    monkeypatch.setattr(commands, "write_video", write)
    return run


# Triton -------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything that Triton writes goes."""
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    return tmp_path
