"""The folder of the released ACTalker, as its authors hand it out."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ....errors import CheckpointError
from ....files.writing import check_writable
from ..config import VARIANTS, ModelConfig
from ..networks import ACTalker, choose_stored_dtype
from .ldm_vae import LDM_PREFIX, from_ldm, is_ldm
from .single_file import count_bytes, save
from .tensor_checks import describe_misfit, refuse_tensors
from .weight_files import check_keys, list_names, read_pickle, read_weights, select_tensors

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class NetworkFile:
    """One network of the release: where it lies and how it is read.

    Attributes:
        name: its name in the bundle.
        pattern: of its file below the folder. read: file -> state dict under the bundle's keys.
    """

    name: str
    pattern: str
    read: Callable[[Path], Weights]


def _from_ckpt(section: str, prefix: str = "") -> Callable[[Path], Weights]:
    def read(path: Path) -> Weights:
        values = read_pickle(path)
        if not isinstance(values, dict) or section not in values:
            raise CheckpointError(
                f"{path}: expected a section '{section}', got "
                f"{list_names(values) if isinstance(values, dict) else type(values).__name__}. "
                "Check that it is the motion encoder of the release."
            )
        return select_tensors(values[section], path, prefix)

    return read


def _whisper(path: Path) -> Weights:
    weights = read_weights(path)
    return _below(weights, "model.encoder.") or _below(weights, "encoder.") or weights


def _vae(path: Path) -> Weights:
    weights = read_weights(path)
    weights = _below(weights, LDM_PREFIX) or weights
    return from_ldm(weights) if is_ldm(weights) else weights


NETWORK_FILES = (
    NetworkFile("unet", "unet-*.pth", read_weights),
    NetworkFile("pose_guider", "pose_guider-*.pth", read_weights),
    NetworkFile("audio_projection", "audio_linear-*.pth", read_weights),
    NetworkFile("identity_projection", "id_proj_model-*.pth", read_weights),
    NetworkFile("expression_projection", "vasa_linear-*.pth", read_weights),
    NetworkFile("expression_encoder", "*.ckpt", _from_ckpt("generator", "expression_model.")),
    NetworkFile("head_pose_encoder", "*.ckpt", _from_ckpt("pose_model")),
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
    on_part: Callable[[str], None] | None = None,
) -> None:
    """Turn the released folder into one .safetensors.

    Args:
        folder: holds, at any depth, the six .pth files, the motion encoder's .ckpt, ArcFace's
            backbone.pth and a Whisper-tiny folder; and SVD-xt-1.1 unless `svd` names it.
        out: file to write, atomically.
        dtype: of the stored weights, scan parameters excepted.
        svd: SVD-xt-1.1 or its VAE: a diffusers folder, or the single .safetensors.
        config: sizes that the files must have.
        on_part: called with the name of each network before it is read.

    Raises:
        CheckpointError: names the file that is missing, damaged, unsafe or of other sizes.
    """
    if not os.path.isdir(folder):
        raise CheckpointError(
            f"{folder}: no such folder. Expected the released files; check the path."
        )
    sources = _find_all(folder, svd)
    with torch.device("meta"):
        expected = ACTalker(config).state_dict()
    check_writable(out, CheckpointError, count_bytes(expected, dtype))
    weights: Weights = {}
    for part, path in sources:
        if on_part is not None:
            on_part(f"{part.name} from {path.name}")
        wanted = _below(expected, f"{part.name}.")
        found = part.read(path)
        check_keys(_shapes(found), _shapes(wanted), path)
        misfits = {}
        for key, value in found.items():
            name = f"{part.name}.{key}"
            if what := describe_misfit(
                value, choose_stored_dtype(name, dtype, expected[name].dtype)
            ):
                misfits[key] = what
            weights[name] = value
        refuse_tensors(misfits, path)
    _check_adapter(_one(folder, ADAPTER_PATTERN), weights)
    save(weights, config, out, dtype)


def _find_all(folder: Path, svd: Path | None) -> list[tuple[NetworkFile, Path]]:
    """Every file of the release, found before anything is read."""
    found = [(part, _one(folder, part.pattern)) for part in NETWORK_FILES]
    _one(folder, ADAPTER_PATTERN)
    found.append((NetworkFile("audio_encoder", "", _whisper), _whisper_file(folder)))
    found.append((NetworkFile("vae", "", _vae), _vae_file(folder if svd is None else svd)))
    return found


def _one(folder: Path, pattern: str) -> Path:
    paths = sorted(folder.rglob(pattern))
    if len(paths) != 1:
        got = ", ".join(str(p.relative_to(folder)) for p in paths) or "none"
        remedy = "Keep one of them." if paths else "Download it into that folder."
        raise CheckpointError(
            f"{folder / pattern}: expected one such file in the folder or below it, got {got}. "
            f"{remedy}"
        )
    return paths[0]


def _whisper_file(folder: Path) -> Path:
    for inside in sorted(p for p in folder.rglob("*whisper*") if p.is_dir()):
        for name in WHISPER_FILES:
            if os.path.isfile(inside / name):
                return inside / name
    raise CheckpointError(
        f"{folder}: expected a folder of Whisper-tiny, with 'whisper' in its name and "
        f"{' or '.join(WHISPER_FILES)} inside, got none. Download openai/whisper-tiny into it."
    )


def _vae_file(svd: Path) -> Path:
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


def _check_adapter(path: Path, weights: Weights) -> None:
    """The adapter file repeats the UNet's signal projections; the UNet's are the ones used."""
    ours = Counter(tuple(v.shape) for k, v in weights.items() if "_ip." in k)
    theirs = Counter(tuple(v.shape) for v in read_weights(path).values())
    if ours != theirs:
        raise CheckpointError(
            f"{path}: expected the {ours.total()} signal projections of the UNet again, got "
            f"{theirs.total()} tensors of other shapes. Download all files of one release."
        )


def _below(weights: Weights, prefix: str) -> Weights:
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


def _shapes(weights: Weights) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in weights.items()}
