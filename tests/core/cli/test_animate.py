"""`animate`: a photograph that moves, by any source, and `generate` where no model is named."""

import logging
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from helpers.cli_media import Media, read_error, watch, write_speech
from helpers.hopper import load_hopper, write_hopper
from helpers.recorded_faces import TASK, needs_model

from actalker_core.cli import main
from actalker_core.control.motion.signal import load_motion
from actalker_core.files import model_folders
from actalker_core.media import Audio, write_video
from actalker_core.models.actalker.checkpoint import built_in

pytestmark = [needs_model, pytest.mark.usefixtures("quick_models")]

Animate = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """me.png, speech.wav and driving.mp4: the same person, drawn nearer and nearer."""
    path = tmp_path_factory.mktemp("photographs")
    write_hopper(path / "me.png")
    write_speech(path / "speech.wav")
    image = (load_hopper(0.5).movedim(0, -1).numpy() * 255).astype(np.uint8)
    frames = []
    for i in range(6):
        matrix = cv2.getRotationMatrix2D((100, 100), -2.0 * i, 1)
        frames.append(cv2.warpAffine(image, matrix, (256, 300), borderMode=cv2.BORDER_REPLICATE))
    clip = torch.from_numpy(np.stack(frames)).movedim(-1, 1)
    sound = Audio(np.random.default_rng(0).normal(0, 0.1, (1, 3840)).astype(np.float32), 16_000)
    write_video(path / "driving.mp4", [clip], 25, sound)
    return path


@pytest.fixture
def animate(folder: Path, tmp_path: Path) -> Animate:
    """Run `animate` or another command; the frames (f, h, w, 3) as PNG keeps them."""

    def run(*options: str, command: str = "animate") -> np.ndarray:
        out = tmp_path / "frames"
        request = [command, "--portrait", str(folder / "me.png"), "--landmarker", str(TASK)]
        assert main([*request, *options, "--out", str(out / "%03d.png")]) == 0
        return np.stack([cv2.imread(str(path)) for path in sorted(out.iterdir())])

    return run


def test_a_still_is_the_photograph(animate: Animate, folder: Path) -> None:
    frames = animate("--hand", "smile=0", "--frames", "2")
    photograph = cv2.imread(str(folder / "me.png"))
    assert np.abs(frames.astype(int) - photograph).mean() <= 0.1


def test_sound_decides_the_length_and_is_kept(folder: Path, tmp_path: Path) -> None:
    request = ["animate", "--portrait", str(folder / "me.png"), "--landmarker", str(TASK)]
    out = tmp_path / "o.mp4"
    assert main([*request, "--audio", str(folder / "speech.wav"), "--idle", "--out", str(out)]) == 0
    video = watch(out)
    assert len(video.images) == 15
    assert video.audio_seconds == pytest.approx(0.6, abs=0.05)
    assert np.ptp(video.images.astype(int), axis=0).max() > 20


def test_a_driving_clip_keeps_its_own_sound(folder: Path, tmp_path: Path) -> None:
    request = ["animate", "--portrait", str(folder / "me.png"), "--landmarker", str(TASK)]
    out, numbers = tmp_path / "o.mp4", tmp_path / "n.safetensors"
    request += ["--driving", str(folder / "driving.mp4"), "--save-numbers", str(numbers)]
    assert main([*request, "--out", str(out)]) == 0
    assert watch(out).audio_seconds == pytest.approx(0.24, abs=0.05)
    roll = load_motion(numbers).rotation_degrees[:, 2]
    assert float(roll.max() - roll.min()) == pytest.approx(10, abs=3)


def test_saved_numbers_move_as_their_source_did(animate: Animate, tmp_path: Path) -> None:
    path = str(tmp_path / "n.safetensors")
    hand = ("--hand", "0s: smile=0 yaw=0; 0.2s: smile=0.6 yaw=10 ease", "--seconds", "0.2")
    first = animate(*hand, "--save-numbers", path)
    assert len(first) == 5
    assert np.array_equal(animate("--numbers", path), first)


def test_a_hand_lies_over_the_groups_of_a_file_that_it_moves(
    animate: Animate, tmp_path: Path
) -> None:
    path, mix_path = str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors")
    animate("--hand", "smile=0.6 yaw=10", "--frames", "2", "--save-numbers", path)
    animate("--numbers", path, "--hand", "yaw=-5", "--save-numbers", mix_path)
    before, after = load_motion(Path(path)), load_motion(Path(mix_path))
    assert torch.allclose(after.rotation_degrees[:, 1], torch.tensor(-5.0))
    assert torch.allclose(after.blendshapes, before.blendshapes)


def test_amounts_and_edits_are_of_groups(animate: Animate, tmp_path: Path) -> None:
    path = str(tmp_path / "a.safetensors")
    animate(
        *("--hand", "smile=0.4 yaw=10", "--frames", "2", "--save-numbers", path),
        *("--amount", "head=0.5", "--amount", "mouth=0", "--motion-edit", "head.hold=0.08"),
    )
    motion = load_motion(Path(path))
    assert torch.allclose(motion.rotation_degrees[:, 1], torch.tensor(5.0))
    assert not motion.blendshapes[:, 44].any()  # mouthSmileLeft
    assert motion.blendshapes.any()  # cheeks and eyes of the smile stay


def test_a_region_keeps_the_rest(animate: Animate, folder: Path) -> None:
    photograph = cv2.imread(str(folder / "me.png"))
    frames = animate("--hand", "yaw=12", "--frames", "1", "--region", "mouth")
    is_other = np.abs(frames[0].astype(int) - photograph).max(2) > 0
    rows, columns = np.nonzero(is_other)
    assert is_other.any()
    assert np.ptp(rows) < 60
    assert np.ptp(columns) < 60


def test_a_shut_gate_is_rest(animate: Animate, folder: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "n.safetensors")
    clip = ("--driving", str(folder / "driving.mp4"), "--expression-gate", "0")
    animate(*clip, "--save-numbers", path)
    assert not load_motion(Path(path)).rotation_degrees.any()


# What cannot be ----------------------------------------------------------------------------------


def refuse(folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, *options: str) -> str:
    request = ["animate", "--landmarker", str(TASK), "--out", str(tmp_path / "o.mp4")]
    if "--portrait" not in options:
        request += ["--portrait", str(folder / "me.png")]
    return read_error([*request, *options], caplog)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "Nothing moves the photograph"),
        (("--hand", "smil=1"), "smile"),
        (("--hand", "smile=nan"), "smile"),
        (("--mix", "mouth: voice"), "voice|audio"),
        (("--audio-gate", "2"), "Gate|gate|1"),
        (("--motion-edit", "nose.scale=2"), "mouth"),
        (("--idle", "--mouth", "driver"), "got none"),
        (("--idle", "--face", "3"), "Face 3"),
        (("--idle", "--face-box", "0,0,9,9"), "landmarks"),
    ],
    ids=str,
)
def test_bad_options_are_refused(
    folder: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    options: tuple[str, ...],
    message: str,
) -> None:
    assert re.search(message, refuse(folder, tmp_path, caplog, *options))
    assert not (tmp_path / "o.mp4").exists()


def test_a_picture_without_a_face_is_refused(
    folder: Path, media: Media, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    message = refuse(folder, tmp_path, caplog, "--portrait", media["portrait.png"], "--idle")
    assert "No face is found in the portrait" in message


def test_a_clip_without_a_face_is_refused(
    folder: Path, media: Media, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    message = refuse(folder, tmp_path, caplog, "--driving", media["driving.mp4"])
    assert "No face is found in the driving clip" in message


@pytest.mark.parametrize("kind", ["damaged", "foreign", "missing", "of signals"])
def test_numbers_that_are_none_are_refused(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    path = tmp_path / "n.safetensors"
    if kind != "missing":
        path.write_bytes(b"\x08" + bytes(40) if kind == "damaged" else b"text")
    assert str(path) in refuse(folder, tmp_path, caplog, "--numbers", str(path))


@pytest.mark.parametrize("kind", ["damaged", "foreign"])
def test_a_landmarker_that_is_none_is_refused(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    path = tmp_path / "mine.task"
    content = TASK.read_bytes()
    path.write_bytes(content[:100_000] if kind == "damaged" else b"PK" + content[1000:])
    message = refuse(folder, tmp_path, caplog, "--idle", "--landmarker", str(path))
    assert "mine.task" in message


# Without a model ---------------------------------------------------------------------------------


@pytest.fixture
def no_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose folder of models is empty; the folder is returned."""
    monkeypatch.setattr(model_folders, "PACK", tmp_path / "pack")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / model_folders.FOLDER
    folder.mkdir(parents=True)
    return folder


@pytest.mark.usefixtures("no_checkpoints")
def test_generate_without_a_checkpoint_moves_the_photograph_and_says_why(
    animate: Animate, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    options = ("--audio", str(folder / "speech.wav"), "--frames", "4")
    with caplog.at_level(logging.INFO):
        frames = animate(*options, "--steps", "3", command="generate")
    assert "photograph, which needs no weights" in caplog.text
    assert "no --steps" in caplog.text
    assert np.array_equal(frames, animate(*options))


def test_generate_takes_a_converted_checkpoint_that_is_there(
    no_checkpoints: Path, animate: Animate, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (no_checkpoints / "mine.safetensors").write_bytes(built_in.BUILT_IN_PATH.read_bytes())
    (no_checkpoints / "a.safetensors").write_bytes(b"no checkpoint")
    options = ("--audio", str(folder / "speech.wav"), "--frames", "1", "--size", "64")
    with caplog.at_level(logging.INFO):
        animate(*options, "--steps", "1", "--face-box", "whole", command="generate")
    assert "mine.safetensors" in caplog.text


def test_numbers_drive_the_model(animate: Animate, folder: Path) -> None:
    """The portrait, moved by hand, is the driving clip: other numbers, other frames."""
    options = ("--model", "built-in", "--drive-by", "numbers", "--size", "64", "--steps", "1")
    still, turn = (
        animate(*options, "--hand", f"yaw={yaw}", "--frames", "2", command="generate")
        for yaw in (0, 15)
    )
    assert still.shape == turn.shape
    assert len(still) == 2
    assert not np.array_equal(still, turn)
