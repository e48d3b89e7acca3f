"""ComfyUI's shapes and files, as properties."""

import importlib
import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.host import Comfy, image, speech
from helpers.node_files import list_signal_files

CASES = Path(__file__).parents[1] / "data" / "cases"
RATES = (24.0, 25.0, 30000 / 1001, 30.0, 60.0)
RELEASED_FPS = 12.5
STATES_PER_SECOND = 50


@pytest.fixture(scope="module")
def convert(comfy: Comfy) -> Any:
    return importlib.import_module(f"{comfy.package}.nodes.common.convert")


@pytest.fixture(scope="module")
def files(comfy: Comfy) -> Any:
    return comfy.node_module("common.files")


def draw_numbers(count: int) -> torch.Tensor:
    """Frames that show their own number."""
    return torch.arange(count).float()[:, None, None, None].expand(count, 3, 2, 2)


# Frames in time -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("count", [1, 2, 7, 60, 500])
def test_frames_at_another_rate_are_those_shown_at_that_time(
    convert: Any, fps: float, count: int
) -> None:
    video = convert.Frames(draw_numbers(count), fps).resample(RELEASED_FPS)
    numbers = video.images[:, 0, 0, 0].tolist()
    exact = Fraction(fps).limit_denominator(1001) / Fraction(RELEASED_FPS)
    expected = [min(int(i * exact), count - 1) for i in range(len(numbers))]
    assert numbers == expected
    assert video.fps == RELEASED_FPS


@pytest.mark.parametrize("fps", RATES)
@pytest.mark.parametrize("count", [1, 5, 60, 1801])
def test_frames_at_another_rate_last_as_long(convert: Any, fps: float, count: int) -> None:
    video = convert.Frames(draw_numbers(count), fps).resample(RELEASED_FPS)
    longest = max(1 / RELEASED_FPS, 1 / fps)
    assert abs(len(video.images) / RELEASED_FPS - count / fps) <= longest
    assert len(video.images) >= 1


@pytest.mark.parametrize("fps", [*RATES, RELEASED_FPS])
def test_frames_at_their_own_rate_stay(convert: Any, fps: float) -> None:
    assert torch.equal(convert.Frames(draw_numbers(37), fps).resample(fps).images, draw_numbers(37))


@pytest.mark.parametrize("fps", RATES)
def test_frames_at_a_higher_rate_are_repeated_in_order(convert: Any, fps: float) -> None:
    numbers = convert.Frames(draw_numbers(10), RELEASED_FPS).resample(fps).images[:, 0, 0, 0]
    assert (numbers.diff() >= 0).all()
    assert set(numbers.tolist()) == set(range(10))


def test_a_video_brings_its_own_rate_and_frames(comfy: Comfy, convert: Any) -> None:
    node = comfy.nodes.NODE_CLASS_MAPPINGS["CreateVideo"]
    video = node.EXECUTE_NORMALIZED(images=image(frames=6), fps=60.0).args[0]
    frames = convert.read_frames(video, 25.0)
    assert frames.fps == 60.0
    fewer = convert.read_frames(video, 25.0, 30.0, 2)
    assert torch.equal(fewer.images, frames.images[[0, 2]])
    assert torch.equal(frames.images, convert.from_image(image(frames=6)))
    assert convert.read_frames(image(frames=6), 25.0).fps == 25.0


def from_file(comfy: Comfy, source: Any, **trim: float) -> Any:
    """A VIDEO as Load Video gives it; the trim of newer versions, where they have one."""
    kind = importlib.import_module("comfy_api.latest").InputImpl.VideoFromFile
    try:
        return kind(source, **trim)
    except TypeError:
        pytest.skip("This ComfyUI trims no VIDEO.")


def seconds_shown(pictures: torch.Tensor) -> list[float]:
    """The times that the frames of a case say by their grey."""
    height, width = pictures.shape[2:]
    middle = pictures[..., height // 3 : height // 2, width // 3 : width // 2]
    return [(255 * frame.mean().item() - 20) / 100 for frame in middle]


@pytest.mark.parametrize("storage", ["path", "memory"])
@pytest.mark.parametrize("name", ["vfr.mp4", "coverfirst.mkv", "raw.h264", "trunc_fast.mp4"])
def test_the_file_behind_a_video_is_read_by_its_times(
    comfy: Comfy, convert: Any, name: str, storage: str
) -> None:
    source = str(CASES / name) if storage == "path" else io.BytesIO((CASES / name).read_bytes())
    video = convert.read_frames(from_file(comfy, source), 1.0, RELEASED_FPS)
    seconds = seconds_shown(video.images)
    media = comfy.core("media")
    expected = list(media.read_frames(CASES / name, RELEASED_FPS))
    assert video.fps == RELEASED_FPS
    assert torch.equal((video.images * 255).round().byte(), torch.stack(expected))
    early = torch.arange(len(seconds)) / RELEASED_FPS - torch.tensor(seconds)
    assert early.min() > -0.02
    assert early.max() < 0.22


def test_a_phones_video_is_upright(comfy: Comfy, convert: Any) -> None:
    video = convert.read_frames(from_file(comfy, str(CASES / "phone270.mp4")), 1.0, 25.0)
    media = comfy.core("media")
    expected = next(iter(media.read_frames(CASES / "phone270.mp4", 25.0)))
    assert torch.equal((video.images[0] * 255).round().byte(), expected)
    assert video.images.shape == (30, 3, 194, 192)


@pytest.mark.parametrize(
    ("trim", "expected"),
    [
        ({"start_time": 0.4}, (0.4, 1.6)),
        ({"duration": 0.6}, (0.0, 0.6)),
        ({"start_time": 0.8, "duration": 0.4}, (0.8, 0.4)),
        ({"start_time": -0.5}, (1.5, 0.5)),
    ],
)
def test_the_trim_of_a_video_is_kept(
    comfy: Comfy, convert: Any, trim: dict[str, float], expected: tuple[float, float]
) -> None:
    video = from_file(comfy, str(CASES / "coverfirst.mkv"), **trim)
    frames = convert.read_frames(video, 1.0, 25.0)
    start, seconds = expected
    assert len(frames.images) / 25 == pytest.approx(seconds, abs=0.05)
    assert seconds_shown(frames.images)[0] == pytest.approx(start, abs=0.05)


def test_a_video_with_a_private_trim_is_trimmed(convert: Any, comfy: Comfy) -> None:
    """Between the first version that trims and the first that tells it."""

    class VideoFromFile:
        def __init__(self, file: str, start_time: float = 0, duration: float = 0) -> None:
            self.__start_time, self.__duration, self.__file = start_time, duration, file

        def get_stream_source(self) -> str:
            return self.__file

        def get_duration(self) -> float:
            return 2.0

    for start, first in ((0.8, 0.8), (-1.2, 0.8)):
        video = convert.read_frames(VideoFromFile(str(CASES / "vfr.mp4"), start, 0.4), 1.0, 25.0)
        assert len(video.images) == 10
        assert seconds_shown(video.images)[0] == pytest.approx(first, abs=0.05)


def test_only_the_frames_that_are_needed_are_read(comfy: Comfy, convert: Any) -> None:
    video = from_file(comfy, str(CASES / "vfr.mp4"))
    assert len(convert.read_frames(video, 1.0, RELEASED_FPS, 3).images) == 3
    assert len(convert.read_frames(video, 1.0, RELEASED_FPS, 3000).images) == 25


def test_nodes_count_the_frames_of_a_video_by_its_times(comfy: Comfy, models: Any) -> None:
    for name, max_frames, expected in (("raw.h264", 0, 10), ("vfr.mp4", 0, 25), ("vfr.mp4", 4, 4)):
        outputs = comfy.call(
            "EncodeMotion",
            encoders=models[1],
            frames=from_file(comfy, str(CASES / name)),
            signal_fps=RELEASED_FPS,
            max_frames=max_frames,
            face="whole picture",
        )
        assert outputs[3] == expected


def test_a_video_whose_file_is_gone_is_named(comfy: Comfy, convert: Any, tmp_path: Path) -> None:
    video = from_file(comfy, str(tmp_path / "gone.mp4"))
    with pytest.raises(Exception, match=r"gone\.mp4"):
        convert.read_frames(video, 1.0, 25.0)


# Pictures and masks -------------------------------------------------------------------------------


@pytest.mark.parametrize("frames", [1, 5])
@pytest.mark.parametrize("size", [(64, 64), (30, 77), (1, 1)])
def test_pictures_come_back_as_they_were(convert: Any, frames: int, size: tuple[int, int]) -> None:
    images = torch.rand(frames, *size, 3)
    pictures = convert.from_image(images)
    assert pictures.shape == (frames, 3, *size)
    assert torch.equal(convert.to_image(pictures), images)
    assert torch.equal(convert.first_image(images), pictures[0])


def test_pictures_lose_their_fourth_channel(convert: Any) -> None:
    images = torch.rand(2, 8, 9, 4)
    assert torch.equal(convert.from_image(images), convert.from_image(images[..., :3]))


def test_grey_pictures_get_three_channels(convert: Any) -> None:
    grey = torch.rand(2, 8, 9, 1)
    frames = convert.from_image(grey)
    assert frames.shape == (2, 3, 8, 9)
    assert (frames == frames[:, :1]).all()


def test_half_precision_becomes_float32(convert: Any) -> None:
    for dtype in (torch.float16, torch.bfloat16):
        assert convert.from_image(torch.ones(1, 4, 4, 3, dtype=dtype)).dtype == torch.float32
        assert convert.from_mask(torch.ones(1, 4, 4, dtype=dtype)).dtype == torch.float32


@pytest.mark.parametrize(
    "shape",
    [(4, 4, 3), (0, 4, 4, 3), (1, 1, 4, 4, 3), (1, 4, 4, 2), (1, 4, 4, 5), (1, 4, 4, 0), (), (3,)],
)
def test_other_shapes_of_pictures_are_named(convert: Any, shape: tuple[int, ...]) -> None:
    for take in (convert.from_image, convert.first_image):
        with pytest.raises(ValueError, match=r"IMAGE: expected .* got \("):
            take(torch.zeros(shape))


def test_bytes_are_pixels_and_other_integers_are_named(convert: Any) -> None:
    pixels = torch.tensor([0, 51, 255], dtype=torch.uint8).expand(1, 2, 2, 3)
    assert convert.from_image(pixels)[0, :, 0, 0].tolist() == pytest.approx([0, 0.2, 1])
    for wrong in (pixels.to(torch.int64), None, "picture", [1, 2]):
        with pytest.raises(ValueError, match=r"IMAGE: expected .* got "):
            convert.from_image(wrong)


@pytest.mark.parametrize(
    ("value", "becomes"), [(float("nan"), 0), (float("inf"), 1), (float("-inf"), 0)]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_values_that_are_not_finite_are_told(
    convert: Any,
    caplog: pytest.LogCaptureFixture,
    value: float,
    becomes: float,
    dtype: torch.dtype,
) -> None:
    images = torch.full((2, 400, 400, 3), 1.0, dtype=dtype)
    assert torch.equal(convert.from_image(images), torch.ones(2, 3, 400, 400))
    assert not caplog.records
    images[1, 3, 3, 2] = value
    frames = convert.from_image(images)
    assert frames[1, 2, 3, 3] == becomes
    assert frames.sum() == images.numel() - 1 + becomes
    assert "IMAGE: has values that are not finite" in caplog.text


@pytest.mark.parametrize("shape", [(0, 4, 4), (1, 0, 4), (1, 1, 4, 4), (4,), ()])
def test_other_shapes_of_masks_are_named(convert: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"MASK: expected .* got "):
        convert.from_mask(torch.zeros(shape))


def test_masks_of_other_types(convert: Any) -> None:
    assert convert.from_mask(torch.ones(1, 2, 2, dtype=torch.bool)).max() == 1
    assert convert.from_mask(torch.full((1, 2, 2), 255, dtype=torch.uint8)).max() == 1
    for wrong in (torch.ones(1, 2, 2, dtype=torch.int32), "mask"):
        with pytest.raises(ValueError, match=r"MASK: expected .* got "):
            convert.from_mask(wrong)


def test_masks_come_back_as_they_were(convert: Any) -> None:
    mask = torch.rand(3, 8, 9)
    assert convert.from_mask(mask).shape == (3, 1, 8, 9)
    assert torch.equal(convert.to_mask(convert.from_mask(mask)), mask)


def test_a_single_mask_without_a_batch_is_taken(convert: Any) -> None:
    assert convert.from_mask(torch.rand(8, 9)).shape == (1, 1, 8, 9)
    assert convert.from_mask(None) is None


def test_masks_are_within_their_range(convert: Any) -> None:
    masks = convert.from_mask(torch.tensor([[[-1.0, 0.25, 3.0, float("inf")]]]))
    assert masks.isfinite().all()
    assert masks.min() >= 0
    assert masks.max() <= 1


# Sound --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
def test_sound_comes_back_as_it_was(convert: Any, channels: int, rate_hz: int) -> None:
    sound = speech(0.3, rate_hz, channels)
    again = convert.to_audio(convert.from_audio(sound, "Test"))
    assert torch.equal(again["waveform"], sound["waveform"])
    assert again["sample_rate"] == rate_hz


def test_the_first_sound_of_a_batch_is_taken(convert: Any) -> None:
    batch = {"waveform": torch.randn(3, 2, 100).clamp(-1, 1), "sample_rate": 8000}
    audio = convert.from_audio(batch, "Test")
    assert torch.equal(torch.from_numpy(audio.samples), batch["waveform"][0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_sound_of_any_precision_becomes_float32(convert: Any, dtype: torch.dtype) -> None:
    audio = {"waveform": torch.full((1, 2, 10), 0.5, dtype=dtype), "sample_rate": 8000}
    assert convert.from_audio(audio, "Test").samples.tolist() == [[0.5] * 10] * 2


@pytest.mark.parametrize(
    ("dtype", "full"), [(torch.int16, 2**15), (torch.int32, 2**31), (torch.int64, 2**63)]
)
def test_integer_channels_are_scaled(convert: Any, dtype: torch.dtype, full: int) -> None:
    audio = {"waveform": torch.full((1, 2, 10), full // 2, dtype=dtype), "sample_rate": 8000}
    assert convert.from_audio(audio, "Test").samples == pytest.approx(0.5)
    audio = {"waveform": torch.full((1, 2, 4), 192, dtype=torch.uint8), "sample_rate": 8000}
    assert convert.from_audio(audio, "Test").samples == pytest.approx(0.5)


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.uint8, torch.bool])
def test_integers_in_one_channel_are_refused_with_the_way_out(
    convert: Any, dtype: torch.dtype
) -> None:
    audio = {"waveform": torch.ones(1, 1, 40_960, dtype=dtype), "sample_rate": 16000}
    with pytest.raises(ValueError, match=r"Test: expected AUDIO.*plain PCM.*Load Audio"):
        convert.from_audio(audio, "Test")


def test_plain_pcm_of_a_video_is_never_noise(comfy: Comfy, convert: Any) -> None:
    """Twice 20,480 samples at 16 kHz, which core gives as one channel in older versions."""
    parts = from_file(comfy, str(CASES / "pcm.mov")).get_components()
    try:
        audio = convert.from_audio(parts.audio, "Test")
    except ValueError as error:
        assert "Load Audio" in str(error)  # noqa: PT017
    else:
        assert audio.samples.shape == (2, 20_480)
        assert abs(audio.samples).max() < 1


@pytest.mark.parametrize("shape", [(100,), (2, 100), (3, 2, 100), (1, 6, 100)])
def test_sound_of_fewer_dimensions_is_taken(convert: Any, shape: tuple[int, ...]) -> None:
    audio = {"waveform": torch.rand(shape), "sample_rate": 8000}
    channels = shape[-2] if len(shape) > 1 else 1
    assert convert.from_audio(audio, "Test").samples.shape == (channels, 100)


@pytest.mark.parametrize(
    "shape", [(48_000, 2), (1, 65, 100), (1, 1, 1, 100), (0, 2, 100), (1, 2, 0)]
)
def test_other_shapes_of_sound_are_named(convert: Any, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"Test: expected AUDIO.* got .*Load Audio"):
        convert.from_audio({"waveform": torch.rand(shape), "sample_rate": 8000}, "Test")


@pytest.mark.parametrize("rate", [0, -1, None, "fast", float("nan"), float("inf"), []])
def test_a_sound_needs_a_rate(convert: Any, rate: Any) -> None:
    with pytest.raises(ValueError, match=r"Test: expected AUDIO with a sample rate"):
        convert.from_audio({"waveform": torch.rand(1, 1, 100), "sample_rate": rate}, "Test")


@pytest.mark.parametrize("value", [None, {}, {"waveform": None}, "sound", [], torch.rand(5)])
def test_what_is_no_sound_is_named(convert: Any, value: Any) -> None:
    with pytest.raises(ValueError, match=r"Test: expected AUDIO"):
        convert.from_audio(value, "Test")


def test_sound_is_not_shared_with_what_came_in(convert: Any) -> None:
    sound = speech(0.1)
    before = sound["waveform"].clone()
    convert.from_audio(sound, "Test").trim(0.05)
    assert torch.equal(sound["waveform"], before)


@pytest.mark.parametrize("fps", [*RATES, RELEASED_FPS])
def test_trimmed_sound_lasts_whole_frames(comfy: Comfy, models: Any, fps: float) -> None:
    _, frames, sound = comfy.call("EncodeAudio", encoders=models[1], audio=speech(0.77), fps=fps)
    assert 0 <= 0.77 * fps - frames < 1 + fps / STATES_PER_SECOND
    seconds = sound["waveform"].shape[-1] / sound["sample_rate"]
    assert seconds == pytest.approx(frames / fps, abs=0.011)


def test_longest_seconds_cut_the_sound(comfy: Comfy, models: Any) -> None:
    signal, frames, sound = comfy.call(
        "EncodeAudio", encoders=models[1], audio=speech(1.0, 44_100, 2), max_seconds=0.4
    )
    assert frames == 5
    assert signal.seconds == pytest.approx(0.4, abs=0.02)
    assert sound["waveform"].shape == (1, 2, round(0.4 * 44_100))


# Files --------------------------------------------------------------------------------------------


@pytest.fixture
def models_folder(comfy: Comfy) -> Path:
    return comfy.base / "models" / "actalker"


def list_checkpoints(comfy: Comfy) -> list[str]:
    return comfy.node_module("actalker.load").list_checkpoints()


def test_the_built_in_model_stands_first(comfy: Comfy, files: Any) -> None:
    assert list_checkpoints(comfy)[0] == "built-in"
    assert files.list_folders()[0] == "none"


def test_folders_are_listed_with_those_within(files: Any, models_folder: Path) -> None:
    (models_folder / "outer" / "inner").mkdir(parents=True, exist_ok=True)
    assert {"outer", str(Path("outer", "inner"))} <= set(files.list_folders())


def test_what_is_listed_is_found(files: Any, models_folder: Path) -> None:
    for name in files.list_folders()[1:]:
        assert files.model_path(name).is_dir()


def test_lists_name_nothing_twice(comfy: Comfy, files: Any) -> None:
    for names in (list_checkpoints(comfy), files.list_folders(), list_signal_files(comfy)):
        assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "name", ["..", "../", "../../etc/passwd", "/etc/passwd", "", "a/../../..", "~"]
)
def test_nothing_outside_the_folder_is_found(files: Any, name: str) -> None:
    with pytest.raises(ValueError, match=r"expected a (file or folder|name)"):
        files.model_path(name)


def test_a_new_name_gets_its_ending_once(files: Any, models_folder: Path) -> None:
    assert files.new_model_path("mine") == models_folder / "mine.safetensors"
    assert files.new_model_path("mine.safetensors") == models_folder / "mine.safetensors"
    assert files.new_model_path("v1.5") == models_folder / "v1.5.safetensors"


def test_new_signals_never_replace_others(files: Any, comfy: Comfy) -> None:
    first = files.new_recording_path("convert/kept")
    assert first.is_relative_to(comfy.base / "output")
    first.parent.mkdir(parents=True, exist_ok=True)
    first.write_bytes(b"")
    assert files.new_recording_path("convert/kept") != first
    first.unlink()


def test_a_replaced_file_is_told(files: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"1")
    before = files.read_stamp(file)
    assert files.read_stamp(file) == before
    file.write_bytes(b"22")
    assert files.read_stamp(file) != before
