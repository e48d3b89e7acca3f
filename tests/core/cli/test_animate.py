"""`animate`: a photograph that moves, by any source, and `generate` where no model is named."""

import logging
import re
import wave
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from helpers.cli_media import Media, read_error, watch, write_speech
from helpers.hopper import load_hopper, write_hopper
from helpers.photographs import make_numbers
from helpers.recorded_faces import TASK, needs_model

from actalker_core.cli import main
from actalker_core.control.motion.signal import load_motion
from actalker_core.faces import find_face
from actalker_core.faces.blendshapes import NAMES
from actalker_core.faces.landmarker import Landmarker
from actalker_core.files import model_folders
from actalker_core.geometry.mesh import load_mesh
from actalker_core.geometry.photograph import Photograph
from actalker_core.geometry.portrait import open_photograph
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


@pytest.fixture(scope="module")
def photograph() -> Photograph:
    """The person of me.png, to be moved without the command line."""
    image, landmarker = load_hopper(0.5), Landmarker(TASK)
    return open_photograph(image, find_face(landmarker, image), landmarker, load_mesh(TASK))


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


def test_of_several_faces_the_largest_moves_and_the_log_says_so(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    image = cv2.imread(str(folder / "me.png"))
    small = cv2.resize(image, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    group = np.full((image.shape[0], image.shape[1] + small.shape[1], 3), 128, np.uint8)
    group[: small.shape[0], : small.shape[1]] = small
    group[:, small.shape[1] :] = image
    path, out = tmp_path / "group.png", tmp_path / "frames" / "%d.png"
    cv2.imwrite(str(path), group)
    request = ["animate", "--portrait", str(path), "--landmarker", str(TASK)]
    with caplog.at_level(logging.INFO):
        assert main([*request, "--hand", "yaw=8", "--frames", "1", "--out", str(out)]) == 0
    assert "2 faces" in caplog.text
    assert "largest is taken" in caplog.text
    (frame,) = (cv2.imread(str(path)) for path in out.parent.iterdir())
    change = np.abs(frame.astype(int) - group)
    eyes = np.s_[70:150]
    assert change[eyes, small.shape[1] + 60 : small.shape[1] + 160].mean() > 5
    assert change[40:100, 30:90].mean() < 1


def write_clip(path: Path, faces: list[np.ndarray]) -> None:
    """Pictures (h, w, 3) as a clip."""
    write_video(path, [torch.from_numpy(np.stack(faces)).movedim(-1, 1)], 25)


def test_a_clip_that_always_smiles_is_told_and_leaves_the_smile_to_the_photograph(
    photograph: Photograph, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its calmest frame is no neutral face, so a warning says what to give."""
    smiles = [photograph.render(make_numbers(mouthSmile=s)).image for s in (0.8, 0.9, 1.0)]
    clip, numbers = tmp_path / "smiles.mp4", tmp_path / "n.safetensors"
    write_clip(clip, [smiles[i] for i in (0, 1, 2, 1)])
    request = ["animate", "--portrait", str(folder / "me.png"), "--landmarker", str(TASK)]
    request += ["--driving", str(clip), "--save-numbers", str(numbers)]
    with caplog.at_level(logging.WARNING):
        assert main([*request, "--out", str(tmp_path / "o.mp4")]) == 0
    assert "is no neutral face (mouthSmile" in caplog.text
    assert "Say at which second it is neutral" in caplog.text
    smile = load_motion(numbers).blendshapes[:, 44:46].mean(1)
    assert (smile >= -0.02).all()


def make_noise(samples: int) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(samples)


def make_music(samples: int) -> np.ndarray:
    """A chord that goes on and a beat."""
    t = np.arange(samples) / 16_000
    chord = sum(np.sin(2 * np.pi * f * t) for f in (220, 277, 330, 440))
    beat = np.exp(-20 * (t % 0.5)) * np.sin(2 * np.pi * 60 * t)
    return np.asarray(0.08 * chord + 0.3 * beat)


@pytest.mark.parametrize("make_sound", [make_noise, make_music, np.zeros])
def test_what_is_no_speech_leaves_the_mouth_shut(
    folder: Path, tmp_path: Path, make_sound: Callable[[int], np.ndarray]
) -> None:
    sound, numbers = tmp_path / "s.wav", tmp_path / "n.safetensors"
    with wave.open(str(sound), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((make_sound(32_000) * 32767).clip(-32767, 32767).astype("<i2").tobytes())
    request = ["animate", "--portrait", str(folder / "me.png"), "--landmarker", str(TASK)]
    request += ["--audio", str(sound), "--fps", "12.5", "--save-numbers", str(numbers)]
    assert main([*request, "--out", str(tmp_path / "o.mp4")]) == 0
    jaw = load_motion(numbers).blendshapes[:, NAMES.index("jawOpen")]
    assert (jaw < 0.1).float().mean() >= 0.9


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
