"""One checkpoint: what it says of itself, writing it, loading it, and refusing others."""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.releases import (
    REPOSITORY,
    Weights,
    add_tensor,
    convert_tiny,
    expect_error,
    remove_tensor,
    reshape_tensor,
)
from helpers.tiny import TINY, tiny_model
from safetensors import SafetensorError
from safetensors.torch import save_file

from actalker_core.errors import CheckpointError
from actalker_core.files import writing as files
from actalker_core.models.actalker.checkpoint import (
    load,
    save,
    single_file,
    summarize,
)
from actalker_core.models.actalker.checkpoint.single_file import count_bytes
from actalker_core.models.actalker.config import (
    ModelConfig,
    SamplingConfig,
    WhisperConfig,
    to_dict,
)
from actalker_core.models.actalker.networks import FLOAT32_LEAVES, ACTalker

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
    ("failure", "fault"),
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
    fault: type[BaseException],
) -> None:
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(b"old")
    monkeypatch.setattr(files, "save_file", writes_a_little_then_fails(failure))
    with pytest.raises(fault):
        save(weights, TINY, path, torch.float32)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"old"


def test_full_disk_is_a_complaint_that_names_the_file(weights: Weights, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="needs a file size limit")
    path = tmp_path / "tiny.safetensors"
    _, limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limit))
    try:
        with expect_error(path.name):
            save(weights, TINY, path, torch.float32)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    assert not list(tmp_path.iterdir())


def test_each_network_is_reported_with_its_number(release_folder: Path, tmp_path: Path) -> None:
    reports: list[tuple[int, int]] = []
    convert_tiny(
        release_folder,
        tmp_path / "model.safetensors",
        on_part=lambda _, done, total: reports.append((done, total)),
    )
    networks = len(list(tiny_model().children()))
    assert reports == [(done, networks) for done in range(networks)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_the_size_is_known_before(weights: Weights, tmp_path: Path, dtype: torch.dtype) -> None:
    save(weights, TINY, tmp_path / "tiny.safetensors", dtype)
    header = (tmp_path / "tiny.safetensors").stat().st_size - count_bytes(weights, dtype)
    assert 0 < header < 300_000, "names and shapes"


def test_too_small_a_disk_is_a_complaint_before_anything_is_read(
    release_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    read: list[object] = []
    with expect_error("model.safetensors", "free space", "0.00 GB"):
        convert_tiny(
            release_folder, tmp_path / "model.safetensors", on_part=lambda *part: read.append(part)
        )
    assert not read
    assert not (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize("place", ["a folder", "below a file"])
def test_output_that_cannot_be_is_a_complaint(weights: Weights, tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"old")
    places = {"a folder": tmp_path / "folder", "below a file": tmp_path / "file" / "out"}
    with expect_error(str(tmp_path)):
        save(weights, TINY, places[place], torch.float32)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["file", "folder"]
    assert not list((tmp_path / "folder").iterdir())


@pytest.mark.skipif(os.name != "posix", reason="permission bits are posix")
def test_new_file_has_the_permissions_of_any_new_file(weights: Weights, tmp_path: Path) -> None:
    (tmp_path / "ordinary").touch()
    save(weights, TINY, tmp_path / "tiny.safetensors", torch.float16)
    modes = [(tmp_path / n).stat().st_mode for n in ("ordinary", "tiny.safetensors")]
    assert modes[0] == modes[1], "a server that runs as somebody else must be able to read it"


# Refusing to load --------------------------------------------------------------------------------

Reader = Callable[[Path], object]
READERS = pytest.mark.parametrize("read", [load, summarize])


@READERS
@pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"format": "actalker-999"}], ids=str)
def test_foreign_safetensors(
    weights: Weights, tmp_path: Path, read: Reader, metadata: dict[str, str] | None
) -> None:
    save_file({"weight": torch.ones(2)}, tmp_path / "foreign.safetensors", metadata)
    with expect_error("foreign.safetensors", "expected a checkpoint of this pack", "convert"):
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
    with expect_error(path.name):
        read(path)


def replace_config(section: str, **values: Any) -> str:
    config = to_dict(TINY)
    return json.dumps(config | {section: config[section] | values})


BROKEN_CONFIGS = {
    "none": None,
    "no JSON": "{",
    "null": "null",
    "list": "[]",
    "number": "3",
    "text": '"tiny"',
    "unknown section": json.dumps({"unknown": {}}),
    "unknown size": replace_config("unet", unknown=3),
    "section is a number": json.dumps(to_dict(TINY) | {"unet": 5}),
    "section is a list": json.dumps(to_dict(TINY) | {"unet": []}),
    "size is missing": json.dumps(to_dict(TINY) | {"expression_encoder": {"layers": [1]}}),
    "size is text": replace_config("unet", layers_per_block="two"),
    "sizes are one number": replace_config("unet", block_out_channels=32),
    "size is null": replace_config("audio_encoder", d_model=None),
    "size is negative": replace_config("pose_guider", conditioning_embedding_channels=-8),
    "groups that do not divide": replace_config("unet", norm_num_groups=7),
    "rate is text": replace_config("sampling", fps="fast"),
    "other sizes": replace_config("audio_projection", intermediate_dim=72),
}


@pytest.mark.parametrize("config", BROKEN_CONFIGS.values(), ids=BROKEN_CONFIGS.keys())
def test_broken_configuration(weights: Weights, tmp_path: Path, config: str | None) -> None:
    path = tmp_path / "tiny.safetensors"
    texts = {"format": single_file.FORMAT} | ({} if config is None else {"config": config})
    save_file(weights, path, texts)
    with expect_error(path.name):
        load(path)


@pytest.mark.parametrize("change", [remove_tensor, add_tensor, reshape_tensor])
def test_checkpoint_with_other_tensors(
    weights: Weights, tmp_path: Path, change: Callable[[Weights, str], tuple[Weights, str]]
) -> None:
    path = tmp_path / "tiny.safetensors"
    new_tensors, key = change(weights, "unet.")
    save(new_tensors, TINY, path, torch.float32)
    with expect_error(path.name, "expected", key):
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
