"""The folder of the released ACTalker, as its authors hand it out."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ....errors import CheckpointError
from ....files.tensor_checks import describe_misfit, refuse_tensors
from ....files.weight_files import check_keys, list_names, read_pickle, read_weights, select_tensors
from ....files.writing import check_writable
from ..config import VARIANTS, ModelConfig
from ..networks import ACTalker, choose_stored_dtype
from .ldm_vae import LDM_PREFIX, from_ldm, is_ldm
from .single_file import count_bytes, save

StateDict = dict[str, Tensor]
OnPart = Callable[[str, int, int], None]
"""(name of a network and its file, done, total)."""


@dataclass(frozen=True)
class NetworkFile:
    """One network of the release: where it lies and how it is read.

    Attributes:
        name: of the network in `ACTalker`.
        pattern: of its file below the folder. read: file -> state dict under the network's keys.
    """

    name: str
    pattern: str
    read: Callable[[Path], StateDict]


def _ckpt_reader(section: str, prefix: str = "") -> Callable[[Path], StateDict]:
    def read(path: Path) -> StateDict:
        values = read_pickle(path)
        if not isinstance(values, dict) or section not in values:
            raise CheckpointError(
                f"{path}: expected a section '{section}', got "
                f"{list_names(values) if isinstance(values, dict) else type(values).__name__}. "
                "Check that it is the motion encoder of the release."
            )
        return select_tensors(values[section], path, prefix)

    return read


def _read_whisper(path: Path) -> StateDict:
    weights = read_weights(path)
    return _select_below(weights, "model.encoder.") or _select_below(weights, "encoder.") or weights


def _read_vae(path: Path) -> StateDict:
    weights = read_weights(path)
    weights = _select_below(weights, LDM_PREFIX) or weights
    return from_ldm(weights) if is_ldm(weights) else weights


NETWORK_FILES = (
    NetworkFile("unet", "unet-*.pth", read_weights),
    NetworkFile("pose_guider", "pose_guider-*.pth", read_weights),
    NetworkFile("audio_projection", "audio_linear-*.pth", read_weights),
    NetworkFile("identity_projection", "id_proj_model-*.pth", read_weights),
    NetworkFile("expression_projection", "vasa_linear-*.pth", read_weights),
    NetworkFile("expression_encoder", "*.ckpt", _ckpt_reader("generator", "expression_model.")),
    NetworkFile("head_pose_encoder", "*.ckpt", _ckpt_reader("pose_model")),
    NetworkFile("identity_encoder", "backbone.pth", read_weights),
)
ADAPTER_PATTERN = "adapter_module-*.pth"
WHISPER_FILES = ("model.safetensors", "pytorch_model.bin")
VAE_FILES = (
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.fp16.safetensors",
    "diffusion_pytorch_model.bin",
)


def convert(
    folder: Path,
    out: Path,
    dtype: torch.dtype = torch.float16,
    svd: Path | None = None,
    config: ModelConfig = VARIANTS["released"],
    on_part: OnPart | None = None,
) -> None:
    """Turn the released folder into one .safetensors.

    Args:
        folder: holds, at any depth, the six .pth files, the motion encoder's .ckpt, ArcFace's
            backbone.pth and a Whisper-tiny folder; and SVD-xt-1.1 unless `svd` names it.
        out: file to write, atomically.
        dtype: of the stored weights, scan parameters excepted.
        svd: SVD-xt-1.1 or its VAE: a diffusers folder, or the single .safetensors.
        config: sizes that the files must have.
        on_part: called with the name of each network, and done and total, before it is read.

    Raises:
        CheckpointError: names the file that is missing, damaged, unsafe or of other sizes.
    """
    if not os.path.isdir(folder):
        raise CheckpointError(
            f"{folder}: no such folder. Expected the released files; check the path."
        )
    sources = _find_files(folder, svd)
    with torch.device("meta"):
        expected = ACTalker(config).state_dict()
    check_writable(out, CheckpointError, count_bytes(expected, dtype))
    weights: StateDict = {}
    for done, (part, path) in enumerate(sources):
        if on_part is not None:
            on_part(f"{part.name} from {path.name}", done, len(sources))
        tensors = part.read(path)
        expected_tensors = _select_below(expected, f"{part.name}.")
        check_keys(_list_shapes(tensors), _list_shapes(expected_tensors), path)
        misfits = {}
        for key, value in tensors.items():
            name = f"{part.name}.{key}"
            if fault := describe_misfit(
                value, choose_stored_dtype(name, dtype, expected[name].dtype)
            ):
                misfits[key] = fault
            weights[name] = value
        refuse_tensors(misfits, path)
    _check_adapter(_find_one(folder, ADAPTER_PATTERN), weights)
    save(weights, config, out, dtype)


def _find_files(folder: Path, svd: Path | None) -> list[tuple[NetworkFile, Path]]:
    """Every file of the release: one that is missing is named before minutes of reading."""
    files = [(part, _find_one(folder, part.pattern)) for part in NETWORK_FILES]
    _find_one(folder, ADAPTER_PATTERN)
    files.append((NetworkFile("audio_encoder", "", _read_whisper), _find_whisper(folder)))
    files.append((NetworkFile("vae", "", _read_vae), _find_vae(folder if svd is None else svd)))
    return files


def _find_one(folder: Path, pattern: str) -> Path:
    paths = sorted(folder.rglob(pattern))
    if len(paths) != 1:
        got = ", ".join(str(p.relative_to(folder)) for p in paths) or "none"
        remedy = "Keep one of them." if paths else "Download it into that folder."
        raise CheckpointError(
            f"{folder / pattern}: expected one such file in the folder or below it, got {got}. "
            f"{remedy}"
        )
    return paths[0]


def _find_whisper(folder: Path) -> Path:
    for place in sorted(p for p in folder.rglob("*whisper*") if p.is_dir()):
        for name in WHISPER_FILES:
            if os.path.isfile(place / name):
                return place / name
    raise CheckpointError(
        f"{folder}: expected a folder of Whisper-tiny, with 'whisper' in its name and "
        f"{' or '.join(WHISPER_FILES)} inside, got none. Download openai/whisper-tiny into it."
    )


def _find_vae(svd: Path) -> Path:
    if os.path.isfile(svd):
        return svd
    candidates = [svd / name for name in VAE_FILES] + [
        path for name in VAE_FILES for path in sorted(svd.rglob(f"vae/{name}"))
    ]
    candidates += sorted(svd.rglob("svd*.safetensors"))
    for path in candidates:
        if os.path.isfile(path):
            return path
    raise CheckpointError(
        f"{svd}: expected SVD-xt-1.1 or its VAE: vae/{VAE_FILES[0]}, or the single "
        "svd_xt_1_1.safetensors; got none. Download stable-video-diffusion-img2vid-xt-1-1 and "
        "name it with --svd (in ComfyUI: svd)."
    )


def _check_adapter(path: Path, weights: StateDict) -> None:
    """The adapter file repeats the UNet's signal projections; the UNet's are the ones used."""
    unet_shapes = Counter(tuple(v.shape) for k, v in weights.items() if "_ip." in k)
    adapter_shapes = Counter(tuple(v.shape) for v in read_weights(path).values())
    if unet_shapes != adapter_shapes:
        raise CheckpointError(
            f"{path}: expected the {unet_shapes.total()} signal projections of the UNet again, got "
            f"{adapter_shapes.total()} tensors of other shapes. Download all files of one release."
        )


def _select_below(weights: StateDict, prefix: str) -> StateDict:
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def _list_shapes(weights: StateDict) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in weights.items()}
