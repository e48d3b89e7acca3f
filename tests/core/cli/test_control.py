"""Faces, signals, regions, gates and words on the command line."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from helpers.cli_media import Animate, Media, request_of, same_frames, write_picture
from helpers.recorded_faces import TASK

from actalker_core.cli import commands, inputs, main
from actalker_core.control.signals import load_signals
from actalker_core.control.words.bank import Bank, load_bank, save_bank
from actalker_core.faces import Face, SearchDepth, finder
from actalker_core.files import model_folders
from actalker_core.media import load_image

pytestmark = pytest.mark.usefixtures("quick_models")

BRIEF = ("--frames", "2")
REAL = Path(__file__).parents[3].parent / "shared"
needs_real = pytest.mark.skipif(not REAL.is_dir(), reason="no recorded media beside the repository")


class Steady:
    """Finds one face in every picture, in its middle half."""

    def find(self, image: torch.Tensor, depth: SearchDepth = "all") -> list[Face]:
        height, width = image.shape[1:]
        return [Face((width / 4, height / 4, 3 * width / 4, 3 * height / 4), 0.9)]

    def find_near(self, image: torch.Tensor, box: object) -> Face | None:
        return self.find(image)[0]


@pytest.fixture
def finds_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (inputs, commands):
        monkeypatch.setattr(module, "open_finder", lambda path, **_: Steady())


def save_edited(media: Media, out: Path, *options: str) -> Path:
    """Signals of the test media."""
    path = out.with_name("signals.safetensors")
    request = ["--out", str(path), "--driving", media["driving.mp4"], "--audio"]
    whole_boxes = ["--driving-box", "whole", "--head-box", "whole"]
    assert main(["signals", *request, media["speech.wav"], *whole_boxes, *options]) == 0
    return path


def read_error(arguments: list[str], caplog: pytest.LogCaptureFixture) -> str:
    caplog.clear()
    assert main(arguments) == 1
    return "".join(r.getMessage() for r in caplog.records if r.levelname == "ERROR")


# Faces -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("finds_faces")
def test_found_faces_are_those_that_are_boxed(animate: Animate) -> None:
    boxes = ["--face-box", "24,40,72,120", "--driving-box", "16,16,48,48", "--masks", "paper"]
    with_boxes = animate("audio driving", *BRIEF, *boxes)
    with_finder = animate("audio driving", *BRIEF, "--masks", "paper", faces=())
    assert same_frames(with_boxes, with_finder)


def test_face_mask_is_the_box_around_its_white(
    animate: Animate, media: Media, tmp_path: Path
) -> None:
    white = np.zeros((160, 96, 3))
    white[40:120, 24:72] = 255
    write_picture(tmp_path / "face.png", white)
    whole_boxes = ("--driving-box", "whole")
    with_mask = animate(
        "audio", *BRIEF, "--face-mask", str(tmp_path / "face.png"), faces=whole_boxes
    )
    assert same_frames(with_mask, animate("audio", *BRIEF, "--face-box", "24,40,72,120"))


def test_without_landmarker_and_box_the_error_names_the_file(
    media: Media,
    out: Path,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(model_folders, "PACK", tmp_path)
    monkeypatch.setattr(finder.HaarFinder, "is_available", lambda: False)
    message = read_error(request_of(media, out, "audio", faces=()), caplog)
    assert "face_landmarker.task" in message
    assert "ACTALKER_OFFLINE" in message


@pytest.mark.usefixtures("finds_faces")
def test_faces_are_listed(media: Media, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["faces", media["portrait.png"]]) == 0
    (face,) = json.loads(capsys.readouterr().out)
    assert face == {"box": [24, 40, 72, 120], "confidence": 0.9, "landmarks": 0}


@needs_real
def test_recorded_portrait_has_one_face(capsys: pytest.CaptureFixture[str]) -> None:
    landmarker = str(TASK)
    portrait = str(REAL / "media" / "portrait.png")
    assert main(["faces", portrait, "--landmarker", landmarker]) == 0
    (face,) = json.loads(capsys.readouterr().out)
    assert face["confidence"] > 0.9
    assert face["landmarks"] == 478


# Signals -----------------------------------------------------------------------------------------


def test_saved_signals_drive_as_the_media_do(
    animate: Animate, media: Media, tmp_path: Path
) -> None:
    path = save_edited(media, tmp_path / "x")
    straight = animate("audio driving", *BRIEF)
    again = animate("nothing", *BRIEF, "--signals", str(path))
    assert torch.allclose(again.frames, straight.frames, atol=1e-4)


def test_expression_and_head_come_from_two_clips(
    animate: Animate, media: Media, tmp_path: Path
) -> None:
    head_options = ["--head", media["driving.mp4"], "--head-box", "whole"]
    same_clip = animate("driving", *BRIEF, *head_options)
    assert same_frames(same_clip, animate("driving", *BRIEF))
    with_boxes = [*head_options[:-1], "10,10,30,30"]
    assert not same_frames(animate("driving", *BRIEF, *with_boxes), same_clip)


def test_edits_run_in_order(media: Media, tmp_path: Path) -> None:
    edits = ["--edit", "trim=0:0.2", "--edit", "pose.hold=2", "--edit", "expression.resample=50"]
    signals = load_signals(save_edited(media, tmp_path / "x", *edits))
    assert signals.audio.seconds == pytest.approx(0.2)
    assert signals.pose.seconds == pytest.approx(2)
    assert signals.expression.rate_hz == 50


def test_blend_goes_from_one_file_to_the_other(media: Media, tmp_path: Path) -> None:
    first = save_edited(media, tmp_path / "a" / "x")
    scaled_signals = save_edited(media, tmp_path / "b" / "x", "--edit", "expression.scale=0:0")
    blend = ["--blend", str(scaled_signals), "--blend-curve", "0 0 1 1"]
    blend_features = load_signals(
        save_edited(media, tmp_path / "c" / "x", *blend)
    ).expression.features
    ends = [load_signals(path).expression.features for path in (first, scaled_signals)]
    assert torch.equal(blend_features[:2], ends[0][:2])
    assert torch.equal(blend_features[2:], ends[1][2:])


@pytest.mark.parametrize("extend", ["hold", "loop", "ping-pong"])
def test_short_clip_goes_on_until_the_audio_ends(animate: Animate, extend: str) -> None:
    assert len(animate("audio driving", "--extend", extend).images) == 7


def test_bad_signal_files(media: Media, out: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("notes.txt", "nowhere.safetensors"):
        message = read_error(request_of(media, out, "audio", "--signals", media[name]), caplog)
        assert name in message


@pytest.mark.parametrize(
    ("option", "text", "words"),
    [
        ("--audio-gate", "0:1, 2:x", ["character 8", "number", "'x'"]),
        ("--expression-gate", "0:1 slow", ["character 5", "linear"]),
        ("--audio-mask", "lips+nose", ["character 6", "brows"]),
        ("--masks", "landmarks", ["landmarks", "face_landmarker.task"]),
        ("--text", "0s: joyful; soon: sad", ["character 13", "number"]),
        ("--text", "joyful", ["--bank"]),
        ("--extend", "hold", None),
    ],
)
def test_what_cannot_be_read_is_shown(
    media: Media,
    out: Path,
    caplog: pytest.LogCaptureFixture,
    option: str,
    text: str,
    words: list[str] | None,
) -> None:
    request = request_of(media, out, "audio", *BRIEF, option, text)
    if words is None:
        assert main(request) == 0
    else:
        message = read_error(request, caplog)
        assert [word for word in words if word not in message] == [], message


# Regions, crop, paste back -----------------------------------------------------------------------


@pytest.mark.parametrize("region", ["mouth", "upper+mouth", "all-lower", "clip.mp4"])
def test_regions_by_parts_and_clips(animate: Animate, media: Media, region: str) -> None:
    region = media["driving.mp4"] if region == "clip.mp4" else region
    size = {media["driving.mp4"]: ["--portrait", media["small.png"]]}
    options = ["--expression-mask", region, *size.get(region, []), "--face-box", "10,10,50,50"]
    assert not same_frames(
        animate("driving", *BRIEF, *options), animate("driving", *BRIEF, *options[2:])
    )


def test_grown_region_reaches_further(animate: Animate) -> None:
    mouth = ["--audio-mask", "mouth", *BRIEF]
    assert not same_frames(animate("audio", *mouth), animate("audio", *mouth, "--grow-px", "9"))


@pytest.mark.usefixtures("finds_faces")
def test_regions_follow_a_mask_clip(animate: Animate, media: Media) -> None:
    small = ["--portrait", media["small.png"], *BRIEF]
    still = animate("driving", *small, "--face-box", "16,16,48,48")
    with_track = animate(
        "driving", *small, "--face-box", "16,16,48,48", "--mask-clip", media["driving.mp4"]
    )
    assert same_frames(still, with_track), "the finder sees the same box in every frame"


def test_paste_back_leaves_the_rest_alone(animate: Animate, media: Media) -> None:
    crop = ["--face-box", "30,60,60,90", "--expand", "1.5", "--paste-back"]
    video = animate("audio", *BRIEF, *crop)
    original = load_image(Path(media["portrait.png"]))
    assert video.frames.shape == (2, 3, 160, 96)
    inside = torch.zeros(160, 96, dtype=torch.bool)
    inside[52:98, 22:68] = True
    assert torch.equal(video.frames[:, :, ~inside], original[None, :, ~inside].expand(2, -1, -1))
    assert not torch.equal(video.frames[:, :, inside], original[None, :, inside].expand(2, -1, -1))


def test_aspect_is_that_of_the_result(animate: Animate) -> None:
    wide = animate("audio", "--frames", "1", "--aspect", "2:1")
    assert wide.images.shape == (1, 64, 128, 3)


# Words -------------------------------------------------------------------------------------------


def test_bank_of_moments_and_words_that_choose_from_it(
    animate: Animate, media: Media, tmp_path: Path
) -> None:
    path = save_edited(media, tmp_path / "x")
    bank = tmp_path / "bank.safetensors"
    request = ["bank", "--signals", str(path), "--captions", "0: neutral; 0.2: joyful"]
    assert main([*request, "--out", str(bank)]) == 0
    saved_bank = load_bank(bank)
    assert saved_bank.captions == ("neutral", "joyful")
    shapes = torch.zeros(2, 52)
    shapes[1, 44:46] = 0.8  # mouthSmileLeft, mouthSmileRight
    save_bank(bank, Bank(saved_bank.names, saved_bank.features, blendshapes=shapes))
    words = ["--bank", str(bank), "--temperature", "0.05", "--text"]
    neutral = animate("nothing", *BRIEF, *words, "neutral")
    weak = animate("nothing", *BRIEF, *words, "joyful", "--strength", "0")
    joyful = animate("nothing", *BRIEF, *words, "0s: joyful")
    assert same_frames(neutral, weak)
    assert not same_frames(neutral, joyful)


@pytest.mark.usefixtures("finds_faces")
def test_bank_of_pictures(media: Media, tmp_path: Path) -> None:
    faces = tmp_path / "faces"
    faces.mkdir()
    for i, name in enumerate(("neutral", "joy")):
        write_picture(faces / f"{name}.png", np.full((64, 64, 3), 90 * (i + 1)))
        (faces / f"{name}.txt").write_text(f"a {name} face")
    assert main(["bank", str(faces), "--out", str(tmp_path / "bank.safetensors")]) == 0
    bank = load_bank(tmp_path / "bank.safetensors")
    assert bank.names == ("joy", "neutral")
    assert bank.captions == ("a joy face", "a neutral face")
    assert bank.neutral_index == 1


# inspect -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("finds_faces")
def test_inspect_draws_what_drives(media: Media, tmp_path: Path) -> None:
    request = request_of(media, tmp_path / "plan.png", "audio driving", faces=())[1:]
    assert main(["inspect", *request, "--audio-gate", "envelope"]) == 0
    picture = cv2.imread(str(tmp_path / "plan.png"))
    assert picture.shape[1] > 1000
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


@needs_real
def test_inspect_recorded_media(tmp_path: Path) -> None:
    files = {"--portrait": "portrait.png", "--audio": "speech.mp3", "--driving": "driving.mp4"}
    request = [word for name, file in files.items() for word in (name, str(REAL / "media" / file))]
    request += ["--landmarker", str(TASK), "--frames", "10"]
    request += ["--masks", "landmarks"]
    assert main(["inspect", *request, "--out", str(tmp_path / "plan.png")]) == 0
    assert (tmp_path / "plan.png").stat().st_size > 50_000
