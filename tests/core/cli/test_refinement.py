"""`animate --refine`: frames are finished by a network."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from helpers.cli_media import read_error
from helpers.hopper import write_hopper
from helpers.recorded_faces import TASK, needs_model
from helpers.tgdm import make_network

from actalker_core.cli import main
from actalker_core.models.actalker.checkpoint import BUILT_IN_PATH as ACTALKER_PATH
from actalker_core.models.tgdm.checkpoint import save_network

pytestmark = [needs_model, pytest.mark.usefixtures("quick_models")]

Run = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """me.png, and tiny.safetensors of a network that has learnt nothing."""
    path = tmp_path_factory.mktemp("refinement")
    write_hopper(path / "me.png")
    save_network(make_network(), path / "tiny.safetensors")
    return path


@pytest.fixture
def animate(folder: Path, tmp_path: Path) -> Run:
    """The two frames (2, h, w, 3) of a nod, as PNG keeps them."""

    def run(*options: str) -> np.ndarray:
        out = tmp_path / "frames"
        request = ["animate", "--portrait", str(folder / "me.png"), "--landmarker", str(TASK)]
        request += ["--hand", "pitch=8 aaa=0.5", "--frames", "2", *options]
        assert main([*request, "--out", str(out / "%03d.png")]) == 0
        return np.stack([cv2.imread(str(path)) for path in sorted(out.iterdir())])

    return run


def test_frames_are_those_of_geometry_finished(animate: Run, folder: Path) -> None:
    network = f"tgdm:{folder / 'tiny.safetensors'}"
    before, after = animate(), animate("--refine", network)
    assert before.shape == after.shape
    assert not np.array_equal(before, after)
    assert np.array_equal(animate("--refine", network), after), "seeds repeat"
    sample = animate("--refine", network, "--refine-steps", "1")
    assert not np.array_equal(sample, after)


def test_a_place_keeps_the_rest(animate: Run, folder: Path) -> None:
    network = f"tgdm:{folder / 'tiny.safetensors'}"
    before = animate()
    after = animate("--refine", network, "--refine-place", "invented")
    is_other = (before != after).any(-1)
    assert is_other.any()
    assert is_other.mean() < 0.5


@pytest.mark.parametrize("value", ["actalker", "tgdm:", "tgdm2:a.safetensors", ""])
def test_what_names_no_network_is_refused(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["animate", "--portrait", "me.png", "--out", "o.mp4", "--refine", value])
    assert f"expected tgdm, or tgdm:file.safetensors, got '{value}'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none.safetensors", "none.safetensors: no such file"),
        (str(ACTALKER_PATH), "got one of ACTalker"),
    ],
)
def test_a_file_that_is_no_network_is_refused_before_any_work(
    path: str, message: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "o.mp4"
    request = ["animate", "--portrait", str(tmp_path / "none.png"), "--idle", "--out", str(out)]
    assert message in read_error([*request, "--refine", f"tgdm:{path}"], caplog)
    assert not out.exists()


def test_a_device_that_is_not_there_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    request = ["animate", "--portrait", "none.png", "--idle", "--out", str(tmp_path / "o.mp4")]
    request += ["--refine", "tgdm", "--refine-device", "cuda:99"]
    assert "finds no such device" in read_error(request, caplog)
