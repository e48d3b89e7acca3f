"""ComfyUI's shapes and files, as properties."""

import importlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from host import Comfy, image, speech

RATES = (24.0, 25.0, 30000 / 1001, 30.0, 60.0)
RELEASED_FPS = 12.5
STATES_PER_SECOND = 50


@pytest.fixture(scope="module")
def convert(comfy: Comfy) -> Any:
    return importlib.import_module(f"{comfy.package}.nodes.convert")


@pytest.fixture(scope="module")
def files(comfy: Comfy) -> Any:
    return comfy.bridge("files")


def numbered(count: int) -> torch.Tensor:
    """Frames that show their own number."""
    return torch.arange(count).float()[:, None, None, None].expand(count, 3, 2, 2)


# Frames in time -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("count", [1, 2, 7, 60, 500])
def test_frames_at_another_rate_are_those_shown_at_that_time(
    convert: Any, fps: float, count: int
) -> None:
    found = convert.Frames(numbered(count), fps).at(RELEASED_FPS)
    shown = found.pictures[:, 0, 0, 0].tolist()
    exact = Fraction(fps).limit_denominator(1001) / Fraction(RELEASED_FPS)
    expected = [min(int(i * exact), count - 1) for i in range(len(shown))]
    assert shown == expected
    assert found.fps == RELEASED_FPS


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("count", [1, 5, 60, 1801])
def test_frames_at_another_rate_last_as_long(convert: Any, fps: float, count: int) -> None:
    found = convert.Frames(numbered(count), fps).at(RELEASED_FPS)
    longest = max(1 / RELEASED_FPS, 1 / fps)
    assert abs(len(found.pictures) / RELEASED_FPS - count / fps) <= longest
    assert len(found.pictures) >= 1


@pytest.mark.parametrize("fps", [*RATES, RELEASED_FPS])
def test_frames_at_their_own_rate_stay(convert: Any, fps: float) -> None:
    assert torch.equal(convert.Frames(numbered(37), fps).at(fps).pictures, numbered(37))


@pytest.mark.parametrize("fps", RATES)
def test_frames_at_a_higher_rate_are_repeated_in_order(convert: Any, fps: float) -> None:
    shown = convert.Frames(numbered(10), RELEASED_FPS).at(fps).pictures[:, 0, 0, 0]
    assert (shown.diff() >= 0).all()
    assert set(shown.tolist()) == set(range(10))


def test_a_video_brings_its_own_rate_and_frames(comfy: Comfy, convert: Any) -> None:
    made = comfy.nodes.NODE_CLASS_MAPPINGS["CreateVideo"]
    video = made.EXECUTE_NORMALIZED(images=image(frames=6), fps=60.0).args[0]
    found = convert.frames(video, 25.0)
    assert found.fps == 60.0
    assert torch.equal(found.pictures, convert.pictures(image(frames=6)))
    assert convert.frames(image(frames=6), 25.0).fps == 25.0


# Pictures and masks -------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [1, 5])
@pytest.mark.parametrize("size", [(64, 64), (30, 77), (1, 1)])
def test_pictures_come_back_as_they_were(convert: Any, frames: int, size: tuple[int, int]) -> None:
    images = torch.rand(frames, *size, 3)
    pictures = convert.pictures(images)
    assert pictures.shape == (frames, 3, *size)
    assert torch.equal(convert.to_image(pictures), images)
    assert torch.equal(convert.picture(images), pictures[0])


def test_pictures_lose_their_fourth_channel(convert: Any) -> None:
    images = torch.rand(2, 8, 9, 4)
    assert torch.equal(convert.pictures(images), convert.pictures(images[..., :3]))


def test_grey_pictures_get_three_channels(convert: Any) -> None:
    grey = torch.rand(2, 8, 9, 1)
    found = convert.pictures(grey)
    assert found.shape == (2, 3, 8, 9)
    assert (found == found[:, :1]).all()


def test_half_precision_becomes_float32(convert: Any) -> None:
    for dtype in (torch.float16, torch.bfloat16):
        assert convert.pictures(torch.ones(1, 4, 4, 3, dtype=dtype)).dtype == torch.float32
        assert convert.masks(torch.ones(1, 4, 4, dtype=dtype)).dtype == torch.float32


@pytest.mark.parametrize("shape", [(4, 4, 3), (0, 4, 4, 3), (1, 1, 4, 4, 3)])
def test_other_shapes_of_pictures_are_named(convert: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"IMAGE: expected"):
        convert.pictures(torch.zeros(shape))


def test_masks_come_back_as_they_were(convert: Any) -> None:
    mask = torch.rand(3, 8, 9)
    assert convert.masks(mask).shape == (3, 1, 8, 9)
    assert torch.equal(convert.to_mask(convert.masks(mask)), mask)


def test_a_single_mask_without_a_batch_is_taken(convert: Any) -> None:
    assert convert.masks(torch.rand(8, 9)).shape == (1, 1, 8, 9)
    assert convert.masks(None) is None


def test_masks_are_within_their_range(convert: Any) -> None:
    found = convert.masks(torch.tensor([[[-1.0, 0.25, 3.0, float("inf")]]]))
    assert found.isfinite().all()
    assert found.min() >= 0
    assert found.max() <= 1


# Sound --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_sound_comes_back_as_it_was(convert: Any, channels: int, rate_hz: int) -> None:
    sound = speech(0.3, rate_hz, channels)
    again = convert.to_audio(convert.audio(sound, "Test"))
    assert torch.equal(again["waveform"], sound["waveform"])
    assert again["sample_rate"] == rate_hz


def test_the_first_sound_of_a_batch_is_taken(convert: Any) -> None:
    batch = {"waveform": torch.randn(3, 2, 100).clamp(-1, 1), "sample_rate": 8000}
    found = convert.audio(batch, "Test")
    assert torch.equal(torch.from_numpy(found.samples), batch["waveform"][0])


def test_sound_is_not_shared_with_what_came_in(convert: Any) -> None:
    sound = speech(0.1)
    before = sound["waveform"].clone()
    convert.audio(sound, "Test").trimmed(0.05)
    assert torch.equal(sound["waveform"], before)


@pytest.mark.parametrize("fps", [*RATES, RELEASED_FPS])
def test_trimmed_sound_lasts_whole_frames(comfy: Comfy, loaded: Any, fps: float) -> None:
    _, frames, sound = comfy.call("EncodeAudio", encoders=loaded[1], audio=speech(0.77), fps=fps)
    assert 0 <= 0.77 * fps - frames < 1 + fps / STATES_PER_SECOND
    seconds = sound["waveform"].shape[-1] / sound["sample_rate"]
    assert seconds == pytest.approx(frames / fps, abs=0.011)


def test_longest_seconds_cut_the_sound(comfy: Comfy, loaded: Any) -> None:
    signal, frames, sound = comfy.call(
        "EncodeAudio", encoders=loaded[1], audio=speech(1.0, 44_100, 2), max_seconds=0.4
    )
    assert frames == 5
    assert signal.seconds == pytest.approx(0.4, abs=0.02)
    assert sound["waveform"].shape == (1, 2, round(0.4 * 44_100))


# Files --------------------------------------------------------------------------------------------


@pytest.fixture
def models(comfy: Comfy) -> Path:
    return comfy.base / "models" / "actalker"


def test_the_built_in_model_stands_first(files: Any) -> None:
    assert files.checkpoints()[0] == "built-in"
    assert files.folders()[0] == "none"


def test_folders_are_listed_with_those_within(files: Any, models: Path) -> None:
    (models / "outer" / "inner").mkdir(parents=True, exist_ok=True)
    assert {"outer", str(Path("outer", "inner"))} <= set(files.folders())


def test_what_is_listed_is_found(files: Any, models: Path) -> None:
    for name in files.folders()[1:]:
        assert files.model_path(name).is_dir()


def test_lists_name_nothing_twice(files: Any) -> None:
    for listed in (files.checkpoints(), files.folders(), files.saved_signals()):
        assert len(listed) == len(set(listed))


@pytest.mark.parametrize(
    "name", ["..", "../", "../../etc/passwd", "/etc/passwd", "", "a/../../..", "~"]
)
def test_nothing_outside_the_folder_is_found(files: Any, name: str) -> None:
    with pytest.raises(ValueError, match=r"expected a file or folder"):
        files.model_path(name)


def test_a_new_name_gets_its_ending_once(files: Any, models: Path) -> None:
    assert files.new_model_path("mine") == models / "mine.safetensors"
    assert files.new_model_path("mine.safetensors") == models / "mine.safetensors"
    assert files.new_model_path("v1.5") == models / "v1.5.safetensors"


def test_new_signals_never_replace_others(files: Any, comfy: Comfy) -> None:
    first = files.new_signals_path("convert/kept")
    assert first.is_relative_to(comfy.base / "output")
    first.parent.mkdir(parents=True, exist_ok=True)
    first.write_bytes(b"")
    assert files.new_signals_path("convert/kept") != first
    first.unlink()


def test_a_replaced_file_is_told(files: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"1")
    before = files.changed_at(file)
    assert files.changed_at(file) == before
    file.write_bytes(b"22")
    assert files.changed_at(file) != before
