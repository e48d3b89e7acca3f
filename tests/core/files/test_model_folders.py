"""The core and ComfyUI look for models in each other's folders."""

from pathlib import Path

import pytest

from actalker_core.files import model_folders
from actalker_core.files.model_folders import FOLDER, find_core_folder, list_model_folders


@pytest.fixture(autouse=True)
def current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "current").mkdir()
    monkeypatch.chdir(tmp_path / "current")
    return tmp_path / "current"


def put_pack(monkeypatch: pytest.MonkeyPatch, pack: Path, is_clone: bool = True) -> None:
    pack.mkdir(parents=True)
    if is_clone:
        (pack / "pyproject.toml").touch()
    monkeypatch.setattr(model_folders, "PACK", pack)


def test_a_clone_has_its_own_folder_and_the_current_one_counts_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, current_folder: Path
) -> None:
    put_pack(monkeypatch, tmp_path / "clone")
    assert find_core_folder() == tmp_path / "clone" / "models" / "actalker"
    assert list_model_folders() == [tmp_path / "clone" / FOLDER, current_folder / FOLDER]


def test_a_pack_in_custom_nodes_knows_the_folder_of_its_comfyui(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_pack(monkeypatch, tmp_path / "ComfyUI" / "custom_nodes" / "actalker")
    assert tmp_path / "ComfyUI" / "models" / "actalker" in list_model_folders()


def test_an_installed_core_has_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, current_folder: Path
) -> None:
    put_pack(monkeypatch, tmp_path / "site-packages", is_clone=False)
    assert find_core_folder() == FOLDER
    assert list_model_folders() == [current_folder / FOLDER]


def test_in_the_clone_the_two_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_pack(monkeypatch, tmp_path / "clone")
    monkeypatch.chdir(tmp_path / "clone")
    assert list_model_folders() == [tmp_path / "clone" / FOLDER]
