"""Converting the released folder, and refusing every other."""

import json
import os
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.releases import (
    FILES,
    LDM_KEYS,
    PICKLES,
    VAE,
    WHISPER,
    Weights,
    add_tensor,
    check_weights,
    convert_tiny,
    expect_refusal,
    read_contents,
    remove_tensor,
    reshape_tensor,
    rewrite,
)
from safetensors.torch import load_file

from actalker_core.errors import CheckpointError
from actalker_core.files.weight_files import read_weights
from actalker_core.models.actalker.checkpoint import (
    load,
)
from actalker_core.models.actalker.checkpoint.ldm_vae import from_ldm
from actalker_core.models.actalker.config import (
    VAEConfig,
)
from actalker_core.models.actalker.networks import FLOAT32_LEAVES
from actalker_core.models.actalker.vae import build_vae

# Converting and loading --------------------------------------------------------------------------


def test_diffusers_release_survives_bit_by_bit(checkpoint: Path, weights: Weights) -> None:
    check_weights(load(checkpoint).state_dict(), weights)


def test_single_file_svd_survives_bit_by_bit(
    release_template: Path, single_svd: Path, weights: Weights, tmp_path: Path
) -> None:
    convert_tiny(release_template, tmp_path / "out.safetensors", svd=single_svd)
    tensors = load(tmp_path / "out.safetensors").state_dict()
    # The single file lacks this layer; diffusers' code needs it to do nothing.
    quant = {"vae.quant_conv.weight": torch.eye(8)[..., None, None]}
    quant["vae.quant_conv.bias"] = torch.zeros(8)
    check_weights(tensors, weights | quant)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_keeps_the_scan_exact(
    release_template: Path, weights: Weights, tmp_path: Path, dtype: torch.dtype
) -> None:
    out = tmp_path / "half.safetensors"
    convert_tiny(release_template, out, dtype=dtype)
    file_tensors = load_file(out)
    scan = {key for key in file_tensors if key.endswith(FLOAT32_LEAVES)}
    assert {file_tensors[key].dtype for key in scan} == {torch.float32}
    assert len(scan) >= 3
    same_types = {k: v.dtype for k, v in weights.items() if not v.is_floating_point()}
    halves = {key: dtype for key in file_tensors if key not in scan and key not in same_types}
    assert {k: file_tensors[k].dtype for k in halves | same_types} == halves | same_types
    check_weights(load(out).state_dict(), weights, dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_loaded_model_is_whole_and_of_the_asked_type(checkpoint: Path, dtype: torch.dtype) -> None:
    model = load(checkpoint, dtype=dtype)
    for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
        assert tensor.device.type == "cpu", f"{name} was never given memory"
        assert not tensor.requires_grad
        halves = name.startswith("unet.") and not name.endswith(FLOAT32_LEAVES)
        if tensor.is_floating_point():
            assert tensor.dtype == (dtype if halves else torch.float32), name
    assert not any(module.training for module in model.modules())


def test_release_may_lie_in_folders(release_folder: Path, weights: Weights, tmp_path: Path) -> None:
    (release_folder / "checkpoints" / "motion").mkdir(parents=True)
    for name in PICKLES:
        (release_folder / name).rename(release_folder / "checkpoints" / "motion" / name)
    convert_tiny(release_folder, tmp_path / "out.safetensors")
    check_weights(load_file(tmp_path / "out.safetensors"), weights)


@pytest.mark.parametrize("place", ["svd", "svd/vae", VAE])
def test_svd_may_lie_elsewhere(
    release_folder: Path, weights: Weights, tmp_path: Path, place: str
) -> None:
    (release_folder / "svd").rename(tmp_path / "svd")
    convert_tiny(release_folder, tmp_path / "out.safetensors", svd=tmp_path / place)
    check_weights(load_file(tmp_path / "out.safetensors"), weights)


def test_whisper_may_be_a_pickle(release_folder: Path, weights: Weights, tmp_path: Path) -> None:
    values = read_contents(release_folder / WHISPER)
    (release_folder / WHISPER).unlink()
    rewrite(release_folder / "whisper-tiny" / "pytorch_model.bin", values)
    convert_tiny(release_folder, tmp_path / "out.safetensors")
    check_weights(load_file(tmp_path / "out.safetensors"), weights)


def test_ldm_names_of_svd_give_exactly_diffusers_autoencoder() -> None:
    with torch.device("meta"):
        expected = {key: value.shape for key, value in build_vae(VAEConfig()).state_dict().items()}
        ldm = {key: torch.empty(s) for key, s in json.loads(LDM_KEYS.read_text()).items()}
        tensors = {key: value.shape for key, value in from_ldm(ldm).items()}
    assert tensors == expected


# Refusing a released folder ----------------------------------------------------------------------


def expected_name(name: str) -> str:
    """What a message calls a file that it could not find."""
    names = {"motion.ckpt": "*.ckpt", WHISPER: "model.safetensors", VAE: Path(VAE).name}
    return names.get(name, name.replace("-1.", "-*."))


@pytest.mark.parametrize("name", FILES)
def test_missing_file(release_folder: Path, name: str) -> None:
    with expect_refusal(release_folder, expected_name(name), "expected", "Download"):
        (release_folder / name).unlink()


def test_missing_folder(tmp_path: Path) -> None:
    with expect_refusal(tmp_path / "nowhere", "nowhere", "xpected"):
        pass


def test_missing_svd(release_folder: Path) -> None:
    with expect_refusal(release_folder, "elsewhere", "expected", svd=release_folder / "elsewhere"):
        pass


@pytest.mark.parametrize("name", PICKLES)
def test_two_candidates(release_folder: Path, name: str) -> None:
    second = release_folder / "older" / name.replace("-1.", "-2.")
    with expect_refusal(
        release_folder, "expected one", name, f"older{os.sep}{second.name}", "Keep one"
    ):
        second.parent.mkdir()
        second.write_bytes((release_folder / name).read_bytes())


@pytest.mark.parametrize("rest", ["nothing", "half", "all but a byte"])
@pytest.mark.parametrize("name", ["vasa_linear-1.pth", "motion.ckpt", WHISPER, VAE])
def test_truncated_file(release_folder: Path, name: str, rest: str) -> None:
    content = (release_folder / name).read_bytes()
    length = {"nothing": 0, "half": len(content) // 2, "all but a byte": len(content) - 1}[rest]
    with expect_refusal(
        release_folder, Path(name).name, "truncated", f"{length:,} bytes", "Download it again"
    ):
        rewrite(release_folder / name, content[:length])


@pytest.mark.parametrize(
    "content",
    [b"<!DOCTYPE html><html>404</html>", b"version https://git-lfs.example/spec/v1\nsize 3\n"],
    ids=["web page", "pointer"],
)
@pytest.mark.parametrize("name", ["unet-1.pth", "motion.ckpt", WHISPER, VAE])
def test_page_instead_of_weights(release_folder: Path, name: str, content: bytes) -> None:
    with expect_refusal(release_folder, Path(name).name, "not a weight file", "Download it again"):
        rewrite(release_folder / name, content)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("is_zip", [True, False])
def test_damaged_pickle_is_read_or_refused(
    release_folder: Path, tmp_path: Path, *, is_zip: bool
) -> None:
    path = tmp_path / "damaged.pth"
    values = read_contents(release_folder / "vasa_linear-1.pth")
    torch.save(values, path, _use_new_zipfile_serialization=is_zip)
    content, chance = path.read_bytes(), random.Random(1)
    for _ in range(300):
        content = bytearray(content)
        for place in chance.choices(range(1000), k=3):
            content[place] = chance.randrange(256)
        rewrite(path, bytes(content))
        with suppress(CheckpointError):
            read_weights(path)


PLACES = {
    "unet": ("unet-1.pth", None, ""),
    "identity network": ("backbone.pth", None, ""),
    "expression network": ("motion.ckpt", "generator", "expression_model."),
    "pose network": ("motion.ckpt", "pose_model", ""),
    "whisper": (WHISPER, None, "model.encoder."),
    "autoencoder": (VAE, None, ""),
}
"""Where a network lies: file, section of a .ckpt, prefix of its keys."""


@pytest.mark.parametrize("change", [remove_tensor, add_tensor, reshape_tensor])
@pytest.mark.parametrize("place", PLACES)
def test_file_of_another_model(
    release_folder: Path, place: str, change: Callable[[Weights, str], tuple[Weights, str]]
) -> None:
    name, section, prefix = PLACES[place]
    values = read_contents(release_folder / name)
    new_tensors, key = change(values if section is None else values[section], prefix)
    words = (Path(name).name, "expected", key.removeprefix(prefix))
    with expect_refusal(release_folder, *words):
        rewrite(
            release_folder / name,
            new_tensors if section is None else values | {section: new_tensors},
        )


@pytest.mark.parametrize("change", [remove_tensor, reshape_tensor])
def test_adapter_of_another_release(
    release_folder: Path, change: Callable[[Weights, str], tuple[Weights, str]]
) -> None:
    with expect_refusal(release_folder, "adapter_module-1.pth", "expected"):
        path = release_folder / "adapter_module-1.pth"
        rewrite(path, change(read_contents(path), "")[0])


@pytest.mark.parametrize(
    "values",
    [{}, [torch.ones(1)], {"state_dict": {"weight": torch.ones(1)}}, {"epoch": 3}],
    ids=["nothing", "list", "nested", "no tensors"],
)
@pytest.mark.parametrize("name", ["pose_guider-1.pth", "motion.ckpt"])
def test_pickle_of_something_else(release_folder: Path, name: str, values: Any) -> None:
    with expect_refusal(release_folder, name, "expected"):
        rewrite(release_folder / name, values)


@pytest.mark.parametrize("section", ["generator", "pose_model"])
@pytest.mark.parametrize("instead", [None, {}, {"other.weight": torch.ones(1)}, 3], ids=str)
def test_motion_encoder_without_a_section(release_folder: Path, section: str, instead: Any) -> None:
    values = read_contents(release_folder / "motion.ckpt")
    if instead is None:
        del values[section]
    with expect_refusal(release_folder, "motion.ckpt", "expected"):
        rewrite(
            release_folder / "motion.ckpt", values | ({} if instead is None else {section: instead})
        )


@pytest.mark.parametrize(
    "key",
    [
        "encoder.conv_out.bias",
        "encoder.mid.attn_1.q.weight",
        "decoder.up.0.block.0.norm1.weight",
        "decoder.mid.block_1.mix_factor",
    ],
)
def test_single_file_svd_without_a_key(release_folder: Path, single_svd: Path, key: str) -> None:
    content = release_folder.parent / "svd_xt.safetensors"
    values = load_file(single_svd)
    del values[f"first_stage_model.{key}"]
    with expect_refusal(release_folder, content.name, "expected", svd=content):
        rewrite(content, values)


@pytest.mark.parametrize("key", ["oddity", "encoder.mid.attn_1.oddity.weight", "loss.logvar"])
def test_single_file_svd_with_one_more(release_folder: Path, single_svd: Path, key: str) -> None:
    content = release_folder.parent / "svd_xt.safetensors"
    odd = {f"first_stage_model.{key}": torch.ones(1)}
    with expect_refusal(release_folder, content.name, "expected", svd=content):
        rewrite(content, load_file(single_svd) | odd)


def test_single_file_svd_of_a_few_tensors(release_folder: Path) -> None:
    content = release_folder.parent / "svd_xt.safetensors"
    with expect_refusal(release_folder, content.name, "expected", svd=content):
        rewrite(content, {"first_stage_model.encoder.mid.attn_1.q.bias": torch.ones(1)})


def test_truncated_single_file_svd(release_folder: Path, single_svd: Path) -> None:
    content = release_folder.parent / "svd_xt.safetensors"
    with expect_refusal(
        release_folder, content.name, "truncated", "Download it again", svd=content
    ):
        rewrite(content, single_svd.read_bytes()[:-1000])


def test_tensors_that_share_memory_are_stored_apart(release_folder: Path, weights: Weights) -> None:
    """A trainer may save two layers that were tied; safetensors alone would refuse them."""
    path, out = release_folder / "id_proj_model-1.pth", release_folder.parent / "out.safetensors"
    twins = read_contents(path)
    twins["proj3.weight"] = twins["proj2.weight"]
    rewrite(path, twins)
    convert_tiny(release_folder, out)
    tensors = {"identity_projection.proj3.weight": weights["identity_projection.proj2.weight"]}
    check_weights(load(out).state_dict(), weights | tensors)
