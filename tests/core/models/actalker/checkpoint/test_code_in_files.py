"""Files that would run code are refused before it runs."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from helpers.releases import (
    WHISPER,
    expect_refusal,
)

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
def test_code_in_a_file_does_not_run(
    release_folder: Path, tmp_path: Path, name: str, how: str
) -> None:
    mark, path = tmp_path / "it ran", release_folder / name
    if name == "pytorch_model.bin":
        (release_folder / WHISPER).unlink()
        path = release_folder / "whisper-tiny" / name
    with expect_refusal(release_folder, name, "refused", "code", "xpected"):
        write_evil(path, mark, how)
    assert not mark.exists()


def test_evil_file_would_run_if_it_were_allowed_to(tmp_path: Path) -> None:
    """The test above could not fail otherwise."""
    mark, path = tmp_path / "it ran", tmp_path / "evil.pth"
    write_evil(path, mark, "zip")
    torch.load(path, weights_only=False)["evil"].close()
    assert mark.exists()
