"""`swap`: a video that says that a face is swapped, and refusals before any work."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from helpers.cli_media import read_error
from helpers.drawn_clips import draw_shots, to_frames
from helpers.hopper import write_hopper
from helpers.recorded_faces import TASK, needs_model
from helpers.tgdm import make_network

from actalker_core.cli import main
from actalker_core.faces import Track
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.media import write_video
from actalker_core.models.actalker.checkpoint import BUILT_IN_PATH as ACTALKER_PATH
from actalker_core.models.tgdm.checkpoint import save_network
from actalker_core.models.tgdm.swap import choose_frames

pytestmark = needs_model


@pytest.fixture(scope="module")
def folder(mesh: FaceMesh, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """me.png, target.mp4 with two frames of nobody at its end, and tiny.safetensors."""
    path = tmp_path_factory.mktemp("swap")
    write_hopper(path / "me.png")
    save_network(make_network(), path / "tiny.safetensors")
    frames = torch.stack(to_frames(draw_shots(mesh, frames=5))).float() / 255
    frames = torch.cat([frames, torch.full_like(frames[:2], 0.5)])
    write_video(path / "target.mp4", [frames], 25)
    return path


def request_of(folder: Path, out: Path, *options: str) -> list[str]:
    request = ["swap", "--source", str(folder / "me.png"), "--target", str(folder / "target.mp4")]
    request += ["--tgdm", str(folder / "tiny.safetensors"), "--landmarker", str(TASK)]
    return [*request, "--out", str(out), "--device", "cpu", *options]


def read_pixels(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames).astype(int)


def test_a_video_says_that_its_face_is_swapped(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    out = tmp_path / "swap.mp4"
    assert main(request_of(folder, out)) == 0
    with av.open(str(out)) as container:
        assert "face swapped" in container.metadata["swap"]
        assert str(tmp_path) not in str(container.metadata)
    before, after = read_pixels(folder / "target.mp4"), read_pixels(out)
    assert before.shape == after.shape
    change = np.abs(after - before).mean((1, 2, 3))
    assert change[:5].min() > 2 * change[5:].max(), "frames of nobody are only coded anew"
    assert "kept" in caplog.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--tgdm", str(ACTALKER_PATH)), "got one of ACTalker"),
        (("--tgdm", "none.safetensors"), "none.safetensors: no such file"),
        (("--device", "cuda:99"), "finds no such device"),
        (("--source-face", "3"), "Face 3 of the source: expected 0 to 0"),
        (("--source", "none.png"), "none.png: no such file"),
        (("--target", "none.mp4"), "none.mp4: no such file"),
    ],
)
def test_what_cannot_be_swapped_is_refused(
    options: tuple[str, str],
    message: str,
    folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert message in read_error(request_of(folder, tmp_path / "swap.mp4", *options), caplog)
    assert not list(tmp_path.iterdir())


def test_a_source_without_a_face_is_refused(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((90, 90, 3), 128, np.uint8))
    request = request_of(folder, tmp_path / "swap.mp4", "--source", str(tmp_path / "wall.png"))
    assert "No face is found in the source" in read_error(request, caplog)
    assert not (tmp_path / "swap.mp4").exists()


@pytest.mark.parametrize(
    ("cuts", "swapped_frames"), [((), [1, 2, 4, 5]), ((3,), [1, 2]), ((1, 5), [1, 2, 4])]
)
def test_only_the_person_that_was_chosen_is_swapped(
    cuts: tuple[int, ...], swapped_frames: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    confidence = np.array([0, 1, 1, 0, 1, 1], np.float32)
    track = Track(np.zeros((6, 4)), None, confidence, (9, 9), cuts)
    assert np.flatnonzero(choose_frames(track)).tolist() == swapped_frames
    assert ("may be another person" in caplog.text) == (swapped_frames[-1] < 5)
