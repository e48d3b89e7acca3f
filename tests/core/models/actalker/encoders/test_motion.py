"""What is seen of expression and head pose in a clip, whatever its frame rate."""

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.signals import is_same
from helpers.tiny import tiny_model
from torch import Tensor

from actalker_core.control.signals import DrivingSignal, ExpressionSignal, PoseSignal, Signals
from actalker_core.errors import InputError, MediaError
from actalker_core.media import VideoFrames, read_frames, write_video
from actalker_core.models.actalker.encoders.motion import encode_expression, encode_pose
from actalker_core.models.actalker.networks import ACTalker


@pytest.fixture(scope="module")
def model() -> ACTalker:
    return tiny_model()


def random_frames(count: int) -> Tensor:
    random = torch.Generator().manual_seed(3)
    return torch.randint(0, 256, (count, 3, 40, 60), generator=random, dtype=torch.uint8)


def whole_frames() -> Iterator[None]:
    return itertools.repeat(None)


def encode_expressions(
    model: ACTalker, frames: Any, boxes: Any = None, **options: Any
) -> ExpressionSignal:
    boxes = whole_frames() if boxes is None else boxes
    return encode_expression(model.expression_encoder, frames, boxes, rate_hz=25.0, **options)


def encode_poses(model: ACTalker, frames: Any, box: Any = None, **options: Any) -> PoseSignal:
    return encode_pose(model.head_pose_encoder, frames, box, rate_hz=25.0, **options)


def close(a: DrivingSignal, b: DrivingSignal) -> bool:
    """Of two encodings of the same pictures."""
    alike = {"rtol": 1e-4, "atol": 1e-4}
    return all(torch.allclose(track, b.tracks[name], **alike) for name, track in a.tracks.items())


@pytest.mark.parametrize("encode", [encode_expressions, encode_poses])
@pytest.mark.parametrize("batch", [1, 3, 7, 8, 100])
def test_motion_does_not_depend_on_the_batch(
    model: ACTalker, encode: Callable[..., DrivingSignal], batch: int
) -> None:
    reports: list[int] = []
    signal = encode(model, iter(random_frames(7)), batch_size=batch, on_batch=reports.append)
    assert close(signal, encode(model, random_frames(7)))
    assert reports == [min(n, 7) for n in range(batch, 7 + batch, batch)]
    assert (len(signal), signal.rate_hz) == (7, 25)


@pytest.mark.parametrize("encode", [encode_expressions, encode_poses])
@pytest.mark.parametrize("batch", [1, 4])
def test_frames_are_read_when_they_are_needed(
    model: ACTalker, encode: Callable[..., DrivingSignal], batch: int
) -> None:
    num_encodings, ahead = [0], []

    def frames() -> Iterator[Tensor]:
        for number, frame in enumerate(random_frames(11), start=1):
            ahead.append(number - num_encodings[0])
            yield frame

    def count(network: Any, inputs: tuple[Tensor], outputs: Any) -> None:
        num_encodings[0] += len(inputs[0])

    networks = (model.expression_encoder, model.head_pose_encoder)
    hooks = [network.register_forward_hook(count) for network in networks]
    try:
        encode(model, frames(), batch_size=batch)
    finally:
        for hook in hooks:
            hook.remove()
    assert num_encodings == [11]
    assert max(ahead) <= batch + 1


@pytest.mark.parametrize("encode", [encode_expressions, encode_poses])
def test_who_watches_may_stop_the_reading(
    model: ACTalker, encode: Callable[..., DrivingSignal]
) -> None:
    frames = iter(random_frames(9))

    def stop(done: int) -> None:
        raise InputError(f"stopped at {done}")

    with pytest.raises(InputError, match="stopped at 2"):
        encode(model, frames, batch_size=2, on_batch=stop)
    assert len(list(frames)) >= 6


@pytest.mark.parametrize("encode", [encode_expressions, encode_poses])
def test_bytes_and_fractions_are_the_same_picture(
    model: ACTalker, encode: Callable[..., DrivingSignal]
) -> None:
    assert close(encode(model, random_frames(3)), encode(model, random_frames(3) / 255))


@pytest.mark.parametrize("encode", [encode_expressions, encode_poses])
@pytest.mark.parametrize("frames", [[], iter(())])
def test_a_clip_without_frames_is_refused(
    model: ACTalker, encode: Callable[..., DrivingSignal], frames: Any
) -> None:
    with pytest.raises(InputError, match="no frames"):
        encode(model, frames)


@pytest.mark.parametrize(
    "box", [(60, 0, 90, 30), (0, 40, 30, 60), (-20, -20, 0, 0), (9, 9, 9, 20), (0, math.nan, 9, 9)]
)
def test_a_box_outside_the_frames_is_refused(
    model: ACTalker, box: tuple[float, float, float, float]
) -> None:
    with pytest.raises(InputError, match=r"driving clip.*60x40"):
        encode_expressions(model, random_frames(2), [(0, 0, 30, 30), box])
    with pytest.raises(InputError, match=r"driving clip.*60x40"):
        encode_poses(model, random_frames(2), box)


def test_the_expression_is_seen_in_the_box_of_each_frame(model: ACTalker) -> None:
    boxes = [(10, 5, 40, 35), None, (-5, 0, 20, 25), (30, 10, 60, 40)]
    frame = random_frames(1)
    signal = encode_expressions(model, frame.expand(4, -1, -1, -1), iter(boxes), batch_size=3)
    for i, box in enumerate(boxes):
        alone = encode_expressions(model, frame, [box])
        assert torch.allclose(signal.features[i], alone.features[0], atol=1e-4)
    assert torch.cdist(signal.features, signal.features).add(torch.eye(4)).min() > 1e-3


def test_the_expression_is_that_of_the_box_alone(model: ACTalker) -> None:
    frames, box = random_frames(2), (20.0, 10.0, 40.0, 30.0)
    copy = frames.clone()
    copy[..., :20], copy[:, :, :10], copy[:, :, 30:] = 7, 7, 7
    assert is_same(
        encode_expressions(model, frames, [box] * 2), encode_expressions(model, copy, [box] * 2)
    )


def test_the_head_is_seen_in_the_same_wide_square_of_every_frame(model: ACTalker) -> None:
    frames, box = random_frames(2), (25.0, 15.0, 33.0, 23.0)  # thrice as large: 17…41, 7…31
    copy = frames.clone()
    copy[..., :17], copy[..., 41:], copy[:, :, :7], copy[:, :, 31:] = 7, 7, 7, 7
    assert is_same(encode_poses(model, frames, box), encode_poses(model, copy, box))
    copy[1, :, 7:10, 17:20] = 255 - copy[1, :, 7:10, 17:20]
    difference = (
        encode_poses(model, copy, box).rotation_degrees
        != encode_poses(model, frames, box).rotation_degrees
    )
    assert difference.any(1).tolist() == [False, True]


def test_a_pose_is_in_range(model: ACTalker) -> None:
    signal = encode_poses(model, random_frames(5))
    assert signal.rotation_degrees.abs().max() <= 180
    assert signal.translation.abs().max() <= 2


# The same clip at other frame rates --------------------------------------------------------------

CLIP_SECONDS = 1.2
CLIP_RATES = (25, 30, 50)


def draw_edges(seconds: float) -> Tensor:
    """Soft edges that move smoothly: (1, 3, 128, 128)."""
    y, x = torch.meshgrid(*2 * [torch.linspace(-1, 1, 128)], indexing="ij")
    right = torch.sigmoid(8 * (x - 0.9 * math.cos(2 * seconds)))
    low = torch.sigmoid(8 * (y - 0.9 * math.sin(2 * seconds - 1.5)))
    return torch.stack([right, right * low, low])[None]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("clips")
    paths = {fps: folder / f"{fps}.mp4" for fps in CLIP_RATES}
    for fps, path in paths.items():
        write_video(path, (draw_edges(i / fps) for i in range(round(CLIP_SECONDS * fps))), fps)
    return paths


@pytest.fixture(scope="module")
def signals_by_rate(model: ACTalker, clips: dict[int, Path]) -> dict[tuple[int, int], Signals]:
    """The signals of each clip, by its rate and the rate at which it is read."""
    signals = {}
    for rate, fps in ((25, 25), (30, 25), (50, 25), (50, 50)):
        frames = list(VideoFrames(clips[rate], fps))
        face = encode_expression(
            model.expression_encoder, frames, whole_frames(), rate_hz=float(fps)
        )
        head = encode_pose(model.head_pose_encoder, frames, None, rate_hz=float(fps))
        signals[rate, fps] = Signals(expression=face, pose=head)
    return signals


def relative_error(a: Tensor, b: Tensor) -> float:
    """Measured by how much the signal moves."""
    return float((a - b).norm() / (b - b.mean(0)).norm())


def correlation(a: Tensor, b: Tensor) -> float:
    deviations = [(t - t.mean(0)).flatten() for t in (a, b)]
    return float(torch.corrcoef(torch.stack(deviations))[0, 1])


@pytest.mark.parametrize(("rate", "fps"), [(30, 25), (50, 25), (50, 50)])
@pytest.mark.parametrize("kind", ["expression", "pose"])
def test_the_frame_rate_of_a_clip_does_not_change_its_signal(
    signals_by_rate: dict[tuple[int, int], Signals], rate: int, fps: int, kind: str
) -> None:
    want = signals_by_rate[25, 25].present[kind]
    signal = signals_by_rate[rate, fps].present[kind].resample(25)
    assert len(signal) == len(want) == round(25 * CLIP_SECONDS)
    for name, track in want.tracks.items():
        error = relative_error(signal.tracks[name], track)
        assert error < 0.15
        assert correlation(signal.tracks[name], track) > 0.99
        for shift in (-2, 2):  # it must be the same moment, too
            neighbour = want.offset(shift / 25).tracks[name]
            assert error < 0.7 * relative_error(signal.tracks[name], neighbour)


@pytest.mark.parametrize("kind", ["expression", "pose"])
def test_each_second_frame_of_50_is_what_25_shows(
    signals_by_rate: dict[tuple[int, int], Signals], kind: str
) -> None:
    read = signals_by_rate[50, 25].present[kind]
    assert close(signals_by_rate[50, 50].present[kind].sample(len(read), 25), read)


def test_a_video_can_be_watched_again(clips: dict[int, Path]) -> None:
    frames = VideoFrames(clips[30], 12.5)
    first, again = list(frames), list(frames)
    assert len(first) == round(12.5 * CLIP_SECONDS)
    assert all(map(torch.equal, first, again))
    assert all(map(torch.equal, first, read_frames(clips[30], 12.5)))


def test_a_video_that_is_missing_is_named(tmp_path: Path, model: ACTalker) -> None:
    with pytest.raises(MediaError, match=r"gone\.mp4"):
        encode_expressions(model, VideoFrames(tmp_path / "gone.mp4", 25))
