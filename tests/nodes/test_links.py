"""Files of other disks: what is linked and listed also loads, and nothing else does."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.host import Comfy
from helpers.node_files import list_signal_files

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")


@pytest.fixture
def models_folder(comfy: Comfy) -> Iterator[Path]:
    """`models/actalker`, as it was afterwards."""
    folder = comfy.base / "models" / "actalker"
    before = set(folder.iterdir())
    yield folder
    for path in set(folder.iterdir()) - before:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@pytest.fixture(scope="module")
def disk(comfy: Comfy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another disk with a checkpoint, signals and a release."""
    folder = tmp_path_factory.mktemp("disk")
    shutil.copy(comfy.base / "tiny.safetensors", folder / "far.safetensors")
    signals = comfy.core("control.signals")
    expression = signals.ExpressionSignal(25.0, "test", torch.rand(9, 32))
    signals.save_signals(folder / "said.safetensors", signals.Signals(expression=expression))
    (folder / "release").mkdir()
    (folder / "release" / "unet-1.pth").write_bytes(b"x")
    return folder


def list_checkpoints(comfy: Comfy) -> list[str]:
    return comfy.node_module("actalker.load").list_checkpoints()


def test_a_linked_checkpoint_is_listed_and_loads(
    comfy: Comfy, models_folder: Path, disk: Path
) -> None:
    (models_folder / "linked.safetensors").symlink_to(disk / "far.safetensors")
    (models_folder / "shelf").symlink_to(disk)
    (models_folder / "deep").mkdir()
    (models_folder / "deep" / "down").symlink_to(disk)
    paths = ["linked.safetensors", "shelf/far.safetensors", "deep/down/far.safetensors"]
    assert set(paths) <= set(list_checkpoints(comfy))
    for name in paths:
        assert comfy.call("LoadModel", checkpoint=name)


def test_a_linked_release_is_listed_and_found(
    comfy: Comfy, models_folder: Path, disk: Path
) -> None:
    (models_folder / "bought").symlink_to(disk / "release")
    files = comfy.node_module("common.files")
    assert "bought" in files.list_folders()
    assert (files.model_path("bought") / "unet-1.pth").read_bytes() == b"x"


@pytest.mark.parametrize("mark", ["", " [output]"])
def test_linked_signals_are_listed_and_load(comfy: Comfy, disk: Path, mark: str) -> None:
    folder = comfy.base / ("output" if mark else "input")
    (folder / "link.safetensors").symlink_to(disk / "said.safetensors")
    (folder / "shelf").symlink_to(disk)
    try:
        for name in (f"link.safetensors{mark}", f"shelf/said.safetensors{mark}"):
            assert name in list_signal_files(comfy)
            assert len(comfy.call("LoadSignals", signals_file=name)[1]) == 9
    finally:
        (folder / "link.safetensors").unlink()
        (folder / "shelf").unlink()


def test_a_linked_landmarker_is_found(
    comfy: Comfy, models_folder: Path, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (disk / "task").write_bytes(b"x")
    (models_folder / "face_landmarker.task").symlink_to(disk / "task")
    files, paths = comfy.node_module("common.files"), []
    files._open_landmarker_at.cache_clear()
    monkeypatch.setattr(files, "Landmarker", paths.append)
    files.open_face_finder()
    assert paths == [models_folder / "face_landmarker.task"]
    files._open_landmarker_at.cache_clear()


def read_refusal(comfy: Comfy, name: str) -> str:
    with pytest.raises(comfy.core("errors").InputError) as error:
        comfy.node_module("common.files").model_path(name)
    return str(error.value)


def test_what_points_nowhere_is_not_listed(comfy: Comfy, models_folder: Path) -> None:
    (models_folder / "gone.safetensors").symlink_to(models_folder / "never")
    (models_folder / "circle").symlink_to(models_folder / "circle")
    files = comfy.node_module("common.files")
    names = list_checkpoints(comfy) + files.list_folders()
    assert not {"gone.safetensors", "circle"} & set(names)
    for name in ("gone.safetensors", "circle"):
        assert name in read_refusal(comfy, name)


def test_links_in_a_circle_end(comfy: Comfy, models_folder: Path, disk: Path) -> None:
    (models_folder / "a").mkdir()
    (models_folder / "a" / "up").symlink_to(models_folder)
    (models_folder / "a" / "here").symlink_to(models_folder / "a")
    (models_folder / "a" / "linked.safetensors").symlink_to(disk / "far.safetensors")
    files = comfy.node_module("common.files")
    assert "a/linked.safetensors" in list_checkpoints(comfy)
    assert "a" in files.list_folders()


def test_links_that_multiply_end_soon(
    comfy: Comfy,
    models_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Twelve folders with two links each to the next would be listed 2**12 times."""
    monkeypatch.setattr(comfy.node_module("common.files"), "MAX_FOLDERS", 500)
    for i in range(12):
        (models_folder / f"m{i}").mkdir()
        for side in ("l", "r"):
            (models_folder / f"m{i}" / side).symlink_to(models_folder / f"m{i + 1}")
    start = time.perf_counter()
    comfy.node_module("common.files").list_folders()
    assert time.perf_counter() - start < 5
    assert "not all" in caplog.text


def test_what_is_no_regular_file_is_not_listed_and_waits_for_nothing(
    comfy: Comfy, models_folder: Path
) -> None:
    os.mkfifo(models_folder / "pipe.safetensors")
    (models_folder / "zero.safetensors").symlink_to("/dev/zero")
    for name in ("pipe.safetensors", "zero.safetensors"):
        assert name not in list_checkpoints(comfy)
        assert name in read_refusal(comfy, name)


@pytest.mark.parametrize("way", ["../far.safetensors", "shelf/../../far.safetensors", "{disk}"])
def test_dots_and_absolute_paths_stay_refused(
    comfy: Comfy, models_folder: Path, disk: Path, way: str
) -> None:
    shutil.copy(disk / "far.safetensors", models_folder.parent / "far.safetensors")
    (models_folder / "shelf").symlink_to(disk)
    assert "expected a name" in read_refusal(comfy, way.format(disk=disk / "far.safetensors"))


def listed_and_loading(comfy: Comfy, models_folder: Path) -> tuple[set[str], set[str]]:
    names = set(list_checkpoints(comfy)) - {"built-in"}
    loading = set()
    for path in models_folder.rglob("*.safetensors"):
        name = path.relative_to(models_folder).as_posix()
        try:
            comfy.node_module("common.files").model_path(name)
            loading.add(name)
        except comfy.core("errors").ACTalkerError:
            pass
    return names, loading


@pytest.mark.parametrize(
    "name",
    ["a:b", "a\\b", ".hidden", "CON", "nul.x", "lpt1", "end ", "x\ny", "COM¹", "ok", "CONSOLE"],
)
def test_what_is_listed_is_what_loads(
    comfy: Comfy, models_folder: Path, disk: Path, name: str
) -> None:
    (models_folder / "in").mkdir()
    (models_folder / "in" / f"{name}.safetensors").symlink_to(disk / "far.safetensors")
    (models_folder / "in" / name).mkdir(exist_ok=True)
    shutil.copy(disk / "far.safetensors", models_folder / "in" / name / "far.safetensors")
    names, loading = listed_and_loading(comfy, models_folder)
    assert names == loading
    assert bool(names) == (name in ("ok", "CONSOLE", "end "))


@pytest.fixture(autouse=True)
def no_other_models(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Only the folder of the tests."""
    import folder_paths

    folder = str(comfy.base / "models" / "actalker")
    suffixes = folder_paths.folder_names_and_paths["actalker"][1]
    monkeypatch.setitem(folder_paths.folder_names_and_paths, "actalker", ([folder], suffixes))
