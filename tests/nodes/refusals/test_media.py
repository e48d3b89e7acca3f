"""Faces, masks, sound and images that cannot be used are refused on the node."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers.host import Comfy, image
from helpers.node_refusals import FULL, read_refusal

# Faces -------------------------------------------------------------------------------------------


def is_there_a_finder(comfy: Comfy) -> bool:
    return bool(comfy.core("faces.finder").HaarFinder.is_available())


@pytest.mark.parametrize("node", ["PreparePortrait", "EncodeMotion", "ExpressionBank", "Talk"])
def test_without_a_finder_the_file_to_fetch_is_named(comfy: Comfy, usable: Any, node: str) -> None:
    if is_there_a_finder(comfy):
        pytest.skip("this OpenCV finds faces itself")
    face = "find" if node == "ExpressionBank" else "largest"
    message = read_refusal(comfy, node, **(usable[node] | {"face": face}))
    assert "face_landmarker.task" in message
    assert str(comfy.base / "models" / "actalker") in message


def test_a_finder_that_finds_nothing_says_so(
    comfy: Comfy, usable: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blind:
        def find(self, image: Any, depth: str = "all") -> list:
            return []

        def find_near(self, image: Any, box: Any) -> None:
            return None

    for name in ("face.portrait", "actalker.encode", "common.files"):
        monkeypatch.setattr(comfy.node_module(name), "open_face_finder", Blind)
    for node in ("PreparePortrait", "EncodeMotion", "Talk", "ExpressionBank"):
        face = "find" if node == "ExpressionBank" else "largest"
        assert "face" in read_refusal(comfy, node, **(usable[node] | {"face": face}))


@pytest.mark.parametrize(
    "box", ["1,2,3", "a,b,c,d", "1,2,3,4,5", "50,50,10,10", "200,200,300,300", "nan,0,1,1"]
)
@pytest.mark.parametrize("node", ["PreparePortrait", "EncodeMotion"])
def test_a_malformed_box_is_refused(comfy: Comfy, usable: Any, node: str, box: str) -> None:
    message = read_refusal(comfy, node, **(usable[node] | {"face_box": box}))
    assert "ox" in message


@pytest.mark.parametrize("node", ["PreparePortrait", "EncodeMotion"])
def test_a_mask_that_shows_no_face_is_refused(comfy: Comfy, usable: Any, node: str) -> None:
    for size in ((96, 80), (10, 10)):
        mask = torch.zeros(1, *size)
        assert "mask" in read_refusal(comfy, node, **(usable[node] | {"face_mask": mask})).lower()


# Masks -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["audio_mask", "expression_mask"])
@pytest.mark.parametrize("count", [2, 3])
def test_a_wrong_number_of_masks_is_refused(
    comfy: Comfy, conditioning_inputs: Any, name: str, count: int
) -> None:
    mask = torch.ones(count, 64, 64)
    message = read_refusal(comfy, "Conditioning", **(conditioning_inputs | {name: mask}))
    assert f"got {count}" in message
    assert "1 or 4" in message


def test_own_masks_of_another_size_are_scaled(comfy: Comfy, things: Any) -> None:
    half = torch.zeros(1, 12, 10)  # of the picture's aspect
    half[:, 6:] = 1
    inputs = {"portrait": things["portrait"], "own_audio_mask": half}
    mask = comfy.call("RegionMasks", **inputs)[0]
    assert mask.shape == (1, 64, 64)
    assert mask[:, :24].max() == 0
    assert mask[:, 40:].min() == 1


@pytest.mark.parametrize("text", ["nose+", "chin", "lips!", "lips++eyes"])
def test_a_region_that_cannot_be_read_is_named(comfy: Comfy, things: Any, text: str) -> None:
    message = read_refusal(comfy, "RegionMasks", portrait=things["portrait"], audio_region=text)
    assert "expected" in message


def test_frames_of_another_size_do_not_paste_back(comfy: Comfy, things: Any) -> None:
    right = {"frames": image(64, 64), "original": image(), "portrait": things["portrait"]}
    comfy.call("PasteBack", **right)
    for wrong in ({"frames": image(32, 32)}, {"original": image(64, 64)}):
        read_refusal(comfy, "PasteBack", **(right | wrong))


# Sound -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("node", ["EncodeAudio", "Talk", "Conditioning", "Curve"])
def test_sound_without_samples_is_refused(comfy: Comfy, usable: Any, node: str) -> None:
    silent = {"waveform": torch.zeros(1, 1, 0), "sample_rate": 16_000}
    message = read_refusal(comfy, node, **(usable.get(node, {}) | {"audio": silent}))
    assert "AUDIO" in message
    assert "Load Audio" in message


def test_no_sound_is_refused(comfy: Comfy, usable: Any) -> None:
    message = read_refusal(comfy, "EncodeAudio", **(usable["EncodeAudio"] | {"audio": None}))
    assert "AUDIO" in message


@pytest.mark.parametrize(
    "sound",
    [
        {"waveform": torch.full((1, 1, 8000), float("nan")), "sample_rate": 16_000},
        {"waveform": torch.zeros(1, 1, 8000), "sample_rate": 0},
        {"waveform": torch.zeros(8000), "sample_rate": 16_000},
        {"waveform": torch.zeros(1, 1, 100), "sample_rate": 16_000},
    ],
    ids=["NaN", "no rate", "no channels", "shorter than a frame"],
)
def test_strange_sound_is_refused_or_finite(comfy: Comfy, usable: Any, sound: Any) -> None:
    inputs = usable["EncodeAudio"] | {"audio": sound}
    try:
        output = comfy.call("EncodeAudio", **inputs)
    except comfy.core("errors").ACTalkerError:
        return
    assert output[0].states.isfinite().all()


def test_an_envelope_without_a_sound_is_refused(comfy: Comfy) -> None:
    assert "connect audio" in read_refusal(comfy, "Curve", curve_text="envelope")


# Pictures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "picture",
    [
        image(1, 1),
        image(8, 200),
        torch.zeros(0, 64, 64, 3),
        torch.zeros(64, 64, 3),
        torch.zeros(1, 64, 64, 2),
        torch.zeros(1, 64, 64, 0),
    ],
    ids=["one pixel", "too low", "no frames", "no batch", "two channels", "no channels"],
)
def test_a_picture_that_shows_nothing_is_refused(comfy: Comfy, picture: Any) -> None:
    read_refusal(comfy, "PreparePortrait", image=picture, short_side_px=64, face=FULL)


def with_alpha() -> Any:
    return torch.cat([image(), torch.full((1, 96, 80, 1), 0.5)], dim=-1)


def with_hole() -> Any:
    picture = image()
    picture[:, 10:20, 10:20] = float("nan")
    picture[:, 30:40, 10:20] = float("inf")
    return picture


PICTURES: dict[str, Callable[[], Any]] = {
    "RGBA": with_alpha,
    "grey": lambda: image()[..., :1],
    "fp16": lambda: image().half(),
    "NaN": with_hole,
    "beyond 0…1": lambda: image() * 3 - 1,
}


@pytest.mark.parametrize("kind", PICTURES)
def test_strange_pictures_become_portraits(comfy: Comfy, things: Any, kind: str) -> None:
    output = comfy.call("PreparePortrait", image=PICTURES[kind](), short_side_px=64, face=FULL)
    assert output[1].shape == (1, 64, 64, 3)
    assert output[1].dtype == torch.float32
    assert output[1].isfinite().all()
    assert output[1].min() >= 0
    assert output[1].max() <= 1
    identity = comfy.call("EncodeIdentity", encoders=things["encoders"], portrait=output[0])[0]
    assert identity.isfinite().all()


@pytest.mark.parametrize("kind", PICTURES)
def test_strange_frames_can_be_watched(comfy: Comfy, usable: Any, kind: str) -> None:
    frames = PICTURES[kind]().repeat(4, 1, 1, 1)
    output = comfy.call("EncodeMotion", **(usable["EncodeMotion"] | {"frames": frames}))
    assert output[0].features.isfinite().all()
    assert output[1].rotation_degrees.isfinite().all()


@pytest.mark.parametrize("kind", PICTURES)
def test_strange_frames_can_be_pasted_back(comfy: Comfy, things: Any, kind: str) -> None:
    pair = {
        "frames": image(64, 64),
        "original": PICTURES[kind](),
        "portrait": things["portrait"],
    }
    assert comfy.call("PasteBack", **pair)[0].shape == (1, 96, 80, 3)


def test_holes_in_a_mask_leave_no_holes_in_the_frames(comfy: Comfy, things: Any) -> None:
    mask = torch.ones(1, 64, 64)
    mask[:, 5:9, 5:9] = float("nan")
    pair = {"frames": image(64, 64), "original": image(), "portrait": things["portrait"]}
    assert comfy.call("PasteBack", mask=mask, **pair)[0].isfinite().all()
    regions = comfy.call("RegionMasks", portrait=things["portrait"], own_audio_mask=mask)
    assert regions[0].isfinite().all()


def test_strange_pictures_make_a_bank(comfy: Comfy, usable: Any) -> None:
    for make in PICTURES.values():
        bank = comfy.call("ExpressionBank", **(usable["ExpressionBank"] | {"images": make()}))[0]
        words = {"bank": bank, "text": "image 0", "seconds": 0.5, "signal_fps": 12.5}
        assert comfy.call("TextExpression", **words)[0].features.isfinite().all()


def test_wrong_driving_frames_are_refused(comfy: Comfy, usable: Any) -> None:
    for frames in (torch.zeros(0, 64, 64, 3), torch.zeros(64, 64, 3)):
        read_refusal(comfy, "EncodeMotion", **(usable["EncodeMotion"] | {"frames": frames}))
