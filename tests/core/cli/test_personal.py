"""`personal`: a clip of one person -> a file that `--refine` takes."""

from pathlib import Path

import cv2
import pytest
import torch
from helpers.cli_media import read_error
from helpers.drawn_clips import draw_shots, to_frames
from helpers.recorded_faces import TASK, needs_model

from actalker_core.cli import main
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.media import write_video
from actalker_core.models.actalker.checkpoint import BUILT_IN_PATH as ACTALKER_PATH
from actalker_core.models.tgdm.checkpoint import load_network
from actalker_core.models.tgdm.config import VARIANTS

pytestmark = needs_model


@pytest.fixture(scope="module")
def clip(mesh: FaceMesh, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """me.mp4 of a drawn person."""
    path = tmp_path_factory.mktemp("clip") / "me.mp4"
    frames = torch.stack(to_frames(draw_shots(mesh, frames=9))).float() / 255
    write_video(path, [frames], 25)
    return path


def request_of(clip: Path, out: Path, *options: str) -> list[str]:
    request = ["personal", "--clip", str(clip), "--out", str(out), "--landmarker", str(TASK)]
    return [*request, "--variant", "tiny", "--device", "cpu", *options]


def test_a_clip_becomes_a_file_of_the_family(
    clip: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "me.safetensors"
    assert main(request_of(clip, out, "--steps", "1")) == 0
    assert load_network(out).config == VARIANTS["tiny"]
    names = {path.name for path in (tmp_path / "me.training").iterdir()}
    assert names == {"personal.pt", "personal.jsonl", "samples.png"}
    sheet = cv2.imread(str(tmp_path / "me.training" / "samples.png"))
    assert sheet.shape == (6 * 16, 4 * 16, 3)
    assert "it starts from chance" in caplog.text
    assert "me.safetensors: done." in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--start", str(ACTALKER_PATH)), "got one of ACTalker"),
        (("--start", "none.safetensors"), "none.safetensors: no such file"),
        (("--device", "cuda:99"), "finds no such device"),
        (("--out", "me.pt"), "expected a name that ends in .safetensors"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_the_clip_is_read(
    options: tuple[str, str], message: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    request = request_of(tmp_path / "none.mp4", tmp_path / "me.safetensors", *options)
    assert message in read_error(request, caplog)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", [("--steps", "0"), ("--minutes", "0"), ("--hold-out", "0.9")])
def test_numbers_outside_their_limits_are_refused(
    option: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(request_of(tmp_path / "me.mp4", tmp_path / "me.safetensors", *option))
    assert f"argument {option[0]}: " in capsys.readouterr().err
