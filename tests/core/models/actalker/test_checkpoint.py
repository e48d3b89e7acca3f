"""Converting the release, loading what came of it, and refusing everything else."""

import functools
import json
import os
import pickle
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.tiny import TINY
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from actalker_core.errors import CheckpointError
from actalker_core.files import writing as files
from actalker_core.models.actalker.checkpoint import (
    convert,
    load,
    release,
    save,
    single_file,
    summarize,
)
from actalker_core.models.actalker.checkpoint.ldm_vae import from_ldm
from actalker_core.models.actalker.checkpoint.single_file import count_bytes
from actalker_core.models.actalker.checkpoint.weight_files import read_weights
from actalker_core.models.actalker.config import (
    ModelConfig,
    SamplingConfig,
    VAEConfig,
    WhisperConfig,
    to_dict,
)
from actalker_core.models.actalker.networks import FLOAT32_LEAVES, ACTalker
from actalker_core.models.actalker.vae import build_vae

Weights = dict[str, Tensor]

REPOSITORY = Path(__file__).parents[4]
LDM_KEYS = REPOSITORY / "tests" / "data" / "svd_vae_ldm_keys.json"
WHISPER, VAE = "whisper-tiny/model.safetensors", "svd/vae/diffusion_pytorch_model.safetensors"
PICKLES = (
    "unet-1.pth",
    "pose_guider-1.pth",
    "audio_linear-1.pth",
    "id_proj_model-1.pth",
    "vasa_linear-1.pth",
    "adapter_module-1.pth",
    "motion.ckpt",
    "backbone.pth",
)
FILES = (*PICKLES, WHISPER, VAE)
REMEDY = re.compile(
    r"\b(ask|check|choose|convert|download|draw|free|get|give|keep|make|name|remove|update|use)\b",
    re.IGNORECASE,
)


def convert_tiny(folder: Path, out: Path, **options: Any) -> None:
    convert(folder, out, options.pop("dtype", torch.float32), config=TINY, **options)


@contextmanager
def complaint(*words: str) -> Iterator[None]:
    """A CheckpointError of one line with these words in it, and advice."""
    with pytest.raises(CheckpointError) as error:
        yield
    text = str(error.value)
    assert [word for word in words if word not in text] == [], text
    assert REMEDY.search(text), f"no remedy in: {text}"
    assert "\n" not in text, "the command line prints one line"


@contextmanager
def refusal(folder: Path, *words: str, **options: Any) -> Iterator[None]:
    """The body damages a released folder; converting that must fail and leave nothing behind."""
    yield
    out = folder.parent / "out" / "tiny.safetensors"
    with complaint(*words):
        convert_tiny(folder, out, **options)
    assert not out.parent.exists() or not list(out.parent.iterdir())


def rewrite(path: Path, content: bytes | Any) -> None:
    """Replace a file that may be a link; whatever is no bytes is written in the file's format."""
    path.unlink(missing_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif path.suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in content.items()}, path)
    else:
        torch.save(content, path)


def contents(path: Path) -> Any:
    return load_file(path) if path.suffix == ".safetensors" else torch.load(path)


def same_weights(found: Weights, wanted: Weights, dtype: torch.dtype = torch.float32) -> None:
    """Bit by bit what is left of the wanted ones after rounding to a type."""
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        rounds = value.is_floating_point() and not key.endswith(FLOAT32_LEAVES)
        expected = value.to(dtype).to(value.dtype) if rounds else value
        assert torch.equal(found[key], expected), key


@pytest.fixture(autouse=True)
def expected_shapes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the time of a refusal would go into the shapes that are the same for all."""
    monkeypatch.setattr(release, "ACTalker", bundle_once, raising=False)


bundle_once = functools.cache(ACTalker)


# Converting and loading --------------------------------------------------------------------------


def test_diffusers_release_survives_bit_by_bit(checkpoint: Path, weights: Weights) -> None:
    same_weights(load(checkpoint).state_dict(), weights)


def test_single_file_svd_survives_bit_by_bit(
    released_template: Path, single_svd: Path, weights: Weights, tmp_path: Path
) -> None:
    convert_tiny(released_template, tmp_path / "out.safetensors", svd=single_svd)
    found = load(tmp_path / "out.safetensors").state_dict()
    # The single file lacks this layer; diffusers' code needs it to do nothing.
    quant = {"vae.quant_conv.weight": torch.eye(8)[..., None, None]}
    quant["vae.quant_conv.bias"] = torch.zeros(8)
    same_weights(found, weights | quant)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_keeps_the_scan_exact(
    released_template: Path, weights: Weights, tmp_path: Path, dtype: torch.dtype
) -> None:
    out = tmp_path / "half.safetensors"
    convert_tiny(released_template, out, dtype=dtype)
    stored = load_file(out)
    scan = {key for key in stored if key.endswith(FLOAT32_LEAVES)}
    assert {stored[key].dtype for key in scan} == {torch.float32}
    assert len(scan) >= 3
    same_types = {k: v.dtype for k, v in weights.items() if not v.is_floating_point()}
    halves = {key: dtype for key in stored if key not in scan and key not in same_types}
    assert {k: stored[k].dtype for k in halves | same_types} == halves | same_types
    same_weights(load(out).state_dict(), weights, dtype)


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


def test_release_may_lie_in_folders(released: Path, weights: Weights, tmp_path: Path) -> None:
    (released / "checkpoints" / "motion").mkdir(parents=True)
    for name in PICKLES:
        (released / name).rename(released / "checkpoints" / "motion" / name)
    convert_tiny(released, tmp_path / "out.safetensors")
    same_weights(load_file(tmp_path / "out.safetensors"), weights)


@pytest.mark.parametrize("place", ["svd", "svd/vae", VAE])
def test_svd_may_lie_elsewhere(
    released: Path, weights: Weights, tmp_path: Path, place: str
) -> None:
    (released / "svd").rename(tmp_path / "svd")
    convert_tiny(released, tmp_path / "out.safetensors", svd=tmp_path / place)
    same_weights(load_file(tmp_path / "out.safetensors"), weights)


def test_whisper_may_be_a_pickle(released: Path, weights: Weights, tmp_path: Path) -> None:
    values = contents(released / WHISPER)
    (released / WHISPER).unlink()
    rewrite(released / "whisper-tiny" / "pytorch_model.bin", values)
    convert_tiny(released, tmp_path / "out.safetensors")
    same_weights(load_file(tmp_path / "out.safetensors"), weights)


def test_ldm_names_of_svd_give_exactly_diffusers_autoencoder() -> None:
    with torch.device("meta"):
        wanted = {key: value.shape for key, value in build_vae(VAEConfig()).state_dict().items()}
        ldm = {key: torch.empty(s) for key, s in json.loads(LDM_KEYS.read_text()).items()}
        found = {key: value.shape for key, value in from_ldm(ldm).items()}
    assert found == wanted


# What a checkpoint says of itself ----------------------------------------------------------------


def test_configuration_travels_in_the_file(weights: Weights, tmp_path: Path) -> None:
    sampling = SamplingConfig(fps=25.0, steps=3, sigma_max=1.0 / 3.0)
    config = replace(TINY, sampling=sampling)
    path = tmp_path / "tiny.safetensors"
    save(weights, config, path, torch.float16)
    assert load(path).config == config
    assert summarize(path).config == config


def test_summary_counts_what_is_in_the_file(checkpoint: Path, weights: Weights) -> None:
    summary = summarize(checkpoint)
    numbers: Counter[str] = Counter()
    for key, value in weights.items():
        numbers[key.split(".")[0]] += value.numel()
    assert summary.config == TINY
    assert summary.parameters == numbers
    assert summary.size_bytes == checkpoint.stat().st_size
    integers = sum(not value.is_floating_point() for value in weights.values())
    assert summary.dtypes == {"F32": len(weights) - integers, "I64": integers}


def test_summary_tells_half_precision_from_the_scan(weights: Weights, tmp_path: Path) -> None:
    save(weights, TINY, tmp_path / "half", torch.bfloat16)
    scan = sum(key.endswith(FLOAT32_LEAVES) for key in weights)
    dtypes = summarize(tmp_path / "half").dtypes
    assert dtypes["F32"] == scan
    assert dtypes["BF16"] + dtypes["F32"] + dtypes["I64"] == len(weights)


# Writing -----------------------------------------------------------------------------------------


def writes_a_little_then_fails(error: BaseException) -> Callable[..., None]:
    def write(tensors: Weights, path: Path, *_: Any) -> None:
        Path(path).write_bytes(b"half of it")
        raise error

    return write


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (OSError("no space left"), CheckpointError),
        (SafetensorError("I/O error: no space left"), CheckpointError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_failed_writing_leaves_the_old_file_and_nothing_else(
    weights: Weights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failure: BaseException,
    raised: type[BaseException],
) -> None:
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(b"old")
    monkeypatch.setattr(files, "save_file", writes_a_little_then_fails(failure))
    with pytest.raises(raised):
        save(weights, TINY, path, torch.float32)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"old"


def test_full_disk_is_a_complaint_that_names_the_file(weights: Weights, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="needs a file size limit")
    path = tmp_path / "tiny.safetensors"
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, most))
    try:
        with complaint(path.name):
            save(weights, TINY, path, torch.float32)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_the_size_is_known_before(weights: Weights, tmp_path: Path, dtype: torch.dtype) -> None:
    save(weights, TINY, tmp_path / "tiny.safetensors", dtype)
    header = (tmp_path / "tiny.safetensors").stat().st_size - count_bytes(weights, dtype)
    assert 0 < header < 300_000, "names and shapes"


def test_too_small_a_disk_is_a_complaint_before_anything_is_read(
    released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    read: list[str] = []
    with complaint("model.safetensors", "free space", "0.00 GB"):
        convert_tiny(released, tmp_path / "model.safetensors", on_part=read.append)
    assert not read
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize("place", ["a folder", "below a file"])
def test_output_that_cannot_be_is_a_complaint(weights: Weights, tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    places = {"a folder": tmp_path / "folder", "below a file": tmp_path / "file" / "out"}
    with complaint(str(tmp_path)):
        save(weights, TINY, places[place], torch.float32)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder"]
    assert not list((tmp_path / "folder").iterdir())


@pytest.mark.skipif(os.name != "posix", reason="permission bits are posix")
def test_new_file_has_the_permissions_of_any_new_file(weights: Weights, tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    save(weights, TINY, tmp_path / "tiny.safetensors", torch.float16)
    modes = [(tmp_path / n).stat().st_mode for n in ("ordinary", "tiny.safetensors")]
    assert modes[0] == modes[1], "a server that runs as somebody else must be able to read it"


# Refusing a released folder ----------------------------------------------------------------------


def expected_name(name: str) -> str:
    """What a message calls a file that it could not find."""
    names = {"motion.ckpt": "*.ckpt", WHISPER: "model.safetensors", VAE: Path(VAE).name}
    return names.get(name, name.replace("-1.", "-*."))


@pytest.mark.parametrize("name", FILES)
def test_missing_file(released: Path, name: str) -> None:
    with refusal(released, expected_name(name), "expected", "Download"):
        (released / name).unlink()


def test_missing_folder(tmp_path: Path) -> None:
    with refusal(tmp_path / "nowhere", "nowhere", "xpected"):
        pass


def test_missing_svd(released: Path) -> None:
    with refusal(released, "elsewhere", "expected", svd=released / "elsewhere"):
        pass


@pytest.mark.parametrize("name", PICKLES)
def test_two_candidates(released: Path, name: str) -> None:
    second = released / "older" / name.replace("-1.", "-2.")
    with refusal(released, "expected one", name, f"older{os.sep}{second.name}", "Keep one"):
        second.parent.mkdir()
        second.write_bytes((released / name).read_bytes())


@pytest.mark.parametrize("kept", ["nothing", "half", "all but a byte"])
@pytest.mark.parametrize("name", ["vasa_linear-1.pth", "motion.ckpt", WHISPER, VAE])
def test_truncated_file(released: Path, name: str, kept: str) -> None:
    whole = (released / name).read_bytes()
    length = {"nothing": 0, "half": len(whole) // 2, "all but a byte": len(whole) - 1}[kept]
    with refusal(released, Path(name).name, "truncated", f"{length:,} bytes", "Download it again"):
        rewrite(released / name, whole[:length])


@pytest.mark.parametrize(
    "content",
    [b"<!DOCTYPE html><html>404</html>", b"version https://git-lfs.example/spec/v1\nsize 3\n"],
    ids=["web page", "pointer"],
)
@pytest.mark.parametrize("name", ["unet-1.pth", "motion.ckpt", WHISPER, VAE])
def test_page_instead_of_weights(released: Path, name: str, content: bytes) -> None:
    with refusal(released, Path(name).name, "not a weight file", "Download it again"):
        rewrite(released / name, content)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("zipped", [True, False])
def test_damaged_pickle_is_read_or_refused(released: Path, tmp_path: Path, *, zipped: bool) -> None:
    path = tmp_path / "damaged.pth"
    values = contents(released / "vasa_linear-1.pth")
    torch.save(values, path, _use_new_zipfile_serialization=zipped)
    whole, chance = path.read_bytes(), random.Random(1)
    for _ in range(300):
        damaged = bytearray(whole)
        for place in chance.choices(range(1000), k=3):
            damaged[place] = chance.randrange(256)
        rewrite(path, bytes(damaged))
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


def some_key(values: Weights, prefix: str) -> str:
    return next(key for key in values if key.startswith(prefix) and key.endswith(".weight"))


def without_a_key(values: Weights, prefix: str) -> tuple[Weights, str]:
    key = some_key(values, prefix)
    return {k: v for k, v in values.items() if k != key}, key


def with_one_more(values: Weights, prefix: str) -> tuple[Weights, str]:
    return values | {f"{prefix}oddity.weight": torch.ones(1)}, "oddity.weight"


def with_another_shape(values: Weights, prefix: str) -> tuple[Weights, str]:
    key = some_key(values, prefix)
    return values | {key: torch.cat([values[key]] * 2)}, key


@pytest.mark.parametrize("change", [without_a_key, with_one_more, with_another_shape])
@pytest.mark.parametrize("place", PLACES)
def test_file_of_another_model(
    released: Path, place: str, change: Callable[[Weights, str], tuple[Weights, str]]
) -> None:
    name, section, prefix = PLACES[place]
    values = contents(released / name)
    changed, key = change(values if section is None else values[section], prefix)
    words = (Path(name).name, "expected", key.removeprefix(prefix))
    with refusal(released, *words):
        rewrite(released / name, changed if section is None else values | {section: changed})


@pytest.mark.parametrize("change", [without_a_key, with_another_shape])
def test_adapter_of_another_release(
    released: Path, change: Callable[[Weights, str], tuple[Weights, str]]
) -> None:
    with refusal(released, "adapter_module-1.pth", "expected"):
        path = released / "adapter_module-1.pth"
        rewrite(path, change(contents(path), "")[0])


@pytest.mark.parametrize(
    "values",
    [{}, [torch.ones(1)], {"state_dict": {"weight": torch.ones(1)}}, {"epoch": 3}],
    ids=["nothing", "list", "nested", "no tensors"],
)
@pytest.mark.parametrize("name", ["pose_guider-1.pth", "motion.ckpt"])
def test_pickle_of_something_else(released: Path, name: str, values: Any) -> None:
    with refusal(released, name, "expected"):
        rewrite(released / name, values)


@pytest.mark.parametrize("section", ["generator", "pose_model"])
@pytest.mark.parametrize("instead", [None, {}, {"other.weight": torch.ones(1)}, 3], ids=str)
def test_motion_encoder_without_a_section(released: Path, section: str, instead: Any) -> None:
    values = contents(released / "motion.ckpt")
    if instead is None:
        del values[section]
    with refusal(released, "motion.ckpt", "expected"):
        rewrite(released / "motion.ckpt", values | ({} if instead is None else {section: instead}))


@pytest.mark.parametrize(
    "key",
    [
        "encoder.conv_out.bias",
        "encoder.mid.attn_1.q.weight",
        "decoder.up.0.block.0.norm1.weight",
        "decoder.mid.block_1.mix_factor",
    ],
)
def test_single_file_svd_without_a_key(released: Path, single_svd: Path, key: str) -> None:
    damaged = released.parent / "svd_xt.safetensors"
    values = load_file(single_svd)
    del values[f"first_stage_model.{key}"]
    with refusal(released, damaged.name, "expected", svd=damaged):
        rewrite(damaged, values)


@pytest.mark.parametrize("key", ["oddity", "encoder.mid.attn_1.oddity.weight", "loss.logvar"])
def test_single_file_svd_with_one_more(released: Path, single_svd: Path, key: str) -> None:
    damaged = released.parent / "svd_xt.safetensors"
    odd = {f"first_stage_model.{key}": torch.ones(1)}
    with refusal(released, damaged.name, "expected", svd=damaged):
        rewrite(damaged, load_file(single_svd) | odd)


def test_single_file_svd_of_a_few_tensors(released: Path) -> None:
    damaged = released.parent / "svd_xt.safetensors"
    with refusal(released, damaged.name, "expected", svd=damaged):
        rewrite(damaged, {"first_stage_model.encoder.mid.attn_1.q.bias": torch.ones(1)})


def test_truncated_single_file_svd(released: Path, single_svd: Path) -> None:
    damaged = released.parent / "svd_xt.safetensors"
    with refusal(released, damaged.name, "truncated", "Download it again", svd=damaged):
        rewrite(damaged, single_svd.read_bytes()[:-1000])


def test_tensors_that_share_memory_are_stored_apart(released: Path, weights: Weights) -> None:
    """A trainer may save two layers that were tied; safetensors alone would refuse them."""
    path, out = released / "id_proj_model-1.pth", released.parent / "out.safetensors"
    tied = contents(path)
    tied["proj3.weight"] = tied["proj2.weight"]
    rewrite(path, tied)
    convert_tiny(released, out)
    shared = {"identity_projection.proj3.weight": weights["identity_projection.proj2.weight"]}
    same_weights(load(out).state_dict(), weights | shared)


# Code in a file ----------------------------------------------------------------------------------


class Evil:
    """Creates a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.mark), "w")


def write_evil(path: Path, mark: Path, how: str) -> None:
    evil = {"weight": torch.ones(2), "evil": Evil(mark)}
    path.unlink(missing_ok=True)
    if how == "plain pickle":
        path.write_bytes(pickle.dumps(Evil(mark), protocol=2))
    else:
        torch.save(evil, path, _use_new_zipfile_serialization=how == "zip")


@pytest.mark.parametrize("how", ["zip", "legacy", "plain pickle"])
@pytest.mark.parametrize("name", ["vasa_linear-1.pth", "motion.ckpt", "pytorch_model.bin"])
def test_code_in_a_file_does_not_run(released: Path, tmp_path: Path, name: str, how: str) -> None:
    mark, path = tmp_path / "it ran", released / name
    if name == "pytorch_model.bin":
        (released / WHISPER).unlink()
        path = released / "whisper-tiny" / name
    with refusal(released, name, "refused", "code", "xpected"):
        write_evil(path, mark, how)
    assert not mark.exists()


def test_evil_file_would_run_if_it_were_allowed_to(tmp_path: Path) -> None:
    """The test above could not fail otherwise."""
    mark, path = tmp_path / "it ran", tmp_path / "evil.pth"
    write_evil(path, mark, "zip")
    torch.load(path, weights_only=False)["evil"].close()
    assert mark.exists()


# Refusing to load --------------------------------------------------------------------------------

Reader = Callable[[Path], object]
READERS = pytest.mark.parametrize("read", [load, summarize])


@READERS
@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"format": "actalker-999"}], ids=str)
def test_foreign_safetensors(
    weights: Weights, tmp_path: Path, read: Reader, metadata: dict[str, str] | None
) -> None:
    save_file({"weight": torch.ones(2)}, tmp_path / "foreign.safetensors", metadata)
    with complaint("foreign.safetensors", "expected a checkpoint of this pack", "convert"):
        read(tmp_path / "foreign.safetensors")


@READERS
@pytest.mark.parametrize("kind", ["missing", "folder", "empty", "pickle", "truncated"])
def test_file_that_is_no_checkpoint(
    checkpoint: Path, tmp_path: Path, read: Reader, kind: str
) -> None:
    path = tmp_path / "tiny.safetensors"
    if kind == "folder":
        path.mkdir()
    elif kind == "pickle":
        torch.save({"weight": torch.ones(2)}, path)
    elif kind != "missing":
        path.write_bytes(checkpoint.read_bytes()[:-100] if kind == "truncated" else b"")
    with complaint(path.name):
        read(path)


def broken(section: str, **values: Any) -> str:
    config = to_dict(TINY)
    return json.dumps(config | {section: config[section] | values})


BROKEN = {
    "none": None,
    "no JSON": "{",
    "null": "null",
    "list": "[]",
    "number": "3",
    "text": '"tiny"',
    "unknown section": json.dumps({"unknown": {}}),
    "unknown size": broken("unet", unknown=3),
    "section is a number": json.dumps(to_dict(TINY) | {"unet": 5}),
    "section is a list": json.dumps(to_dict(TINY) | {"unet": []}),
    "size is missing": json.dumps(to_dict(TINY) | {"expression_encoder": {"layers": [1]}}),
    "size is text": broken("unet", layers_per_block="two"),
    "sizes are one number": broken("unet", block_out_channels=32),
    "size is null": broken("audio_encoder", d_model=None),
    "size is negative": broken("pose_guider", conditioning_embedding_channels=-8),
    "groups that do not divide": broken("unet", norm_num_groups=7),
    "rate is text": broken("sampling", fps="fast"),
    "other sizes": broken("audio_projection", intermediate_dim=72),
}


@pytest.mark.parametrize("config", BROKEN.values(), ids=BROKEN.keys())
def test_broken_configuration(weights: Weights, tmp_path: Path, config: str | None) -> None:
    path = tmp_path / "tiny.safetensors"
    texts = {"format": single_file.FORMAT} | ({} if config is None else {"config": config})
    save_file(weights, path, texts)
    with complaint(path.name):
        load(path)


@pytest.mark.parametrize("change", [without_a_key, with_one_more, with_another_shape])
def test_checkpoint_with_other_tensors(
    weights: Weights, tmp_path: Path, change: Callable[[Weights, str], tuple[Weights, str]]
) -> None:
    path = tmp_path / "tiny.safetensors"
    changed, key = change(weights, "unet.")
    save(changed, TINY, path, torch.float32)
    with complaint(path.name, "expected", key):
        load(path)


# Memory ------------------------------------------------------------------------------------------

MEASURE = """
import json, sys
from pathlib import Path
from actalker_core.models.actalker.checkpoint import load

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))

load(Path(sys.argv[1]))
before = memory("VmRSS")
model = load(Path(sys.argv[2]))
touched = sum(float(tensor.sum()) for tensor in model.state_dict().values())
print(json.dumps(memory("VmHWM") - before))
"""


def wide() -> ModelConfig:
    """About 150 MB, most of it in many layers of Whisper."""
    encoder = WhisperConfig(d_model=512, encoder_layers=4, encoder_ffn_dim=8192)
    return replace(
        TINY,
        audio_encoder=replace(encoder, encoder_attention_heads=2),
        audio_projection=replace(TINY.audio_projection, blocks=5, channels=512),
    )


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux' /proc")
def test_loading_never_holds_two_copies(checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "wide.safetensors"
    with torch.device("meta"):
        shapes = ACTalker(wide()).state_dict()
    empty = {key: torch.zeros(value.shape, dtype=value.dtype) for key, value in shapes.items()}
    save(empty, wide(), path, torch.float32)
    command = [sys.executable, "-c", MEASURE, str(checkpoint), str(path)]
    done = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    copies = json.loads(done.stdout) / path.stat().st_size
    assert 0.8 < copies < 1.4, "below 0.8 the measurement itself is wrong"
