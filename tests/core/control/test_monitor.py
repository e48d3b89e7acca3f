"""The monitor shows everything that drives a clip, frame by frame."""

import sys
import threading
from collections.abc import Callable
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from helpers.formula import rand
from torch import Tensor

from actalker_core.control.monitor import MonitorRows, choose_thumbnail_frames, draw_monitor
from actalker_core.control.regions import box_mask
from actalker_core.errors import InputError
from actalker_core.faces import Track
from actalker_core.faces import topology as t
from actalker_core.faces.face import Array
from actalker_core.media import Audio

FRAMES, FPS, RATE_HZ = 12, 12.5, 8000
HEIGHT, WIDTH = 96, 64
AUDIO_BOX, EXPRESSION_BOX = (16, 56, 48, 88), (8, 8, 56, 48)

# Rows -------------------------------------------------------------------------------------------


def tone(seconds: float, amplitude: float = 0.5) -> Audio:
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return Audio(amplitude * np.sin(2 * np.pi * 40 * at, dtype=np.float32)[None], RATE_HZ)


def box(x0: int, y0: int, x1: int, y1: int) -> Tensor:
    return box_mask((x0, y0, x1, y1), HEIGHT, WIDTH)


def make_rows(frames: int) -> MonitorRows:
    return MonitorRows(
        frames=frames,
        fps=FPS,
        audio=tone(frames / FPS),
        gates={"audio": torch.ones(frames), "expression": torch.linspace(0, 1, frames)},
        portrait=rand(0, "portrait", 3, HEIGHT, WIDTH),
        masks={"audio": box(*AUDIO_BOX), "expression": box(*EXPRESSION_BOX)},
        rotation_degrees=torch.linspace(-10, 20, 3 * frames).reshape(frames, 3),
    )


def moving_face(frames: int) -> Array:
    """A face that turns, blinks and speaks: (frames, 478, 3)."""
    rng = np.random.default_rng(0)
    face = rng.uniform(20, 44, (t.COUNT, 3)).astype(np.float32)
    face[[t.RIGHT_TEMPLE, t.LEFT_TEMPLE, t.FOREHEAD, t.CHIN]] = (
        *((10, 32, 0), (54, 32, 0)),
        *((32, 10, 0), (32, 54, 0)),
    )
    landmarks = np.repeat(face[None], frames, axis=0)
    landmarks[:, t.LEFT_TEMPLE, 2] += np.linspace(0, 20, frames)
    landmarks[:, t.LEFT_LIDS[0], 1] -= np.linspace(0, 3, frames)[:, None]
    landmarks[:, t.INNER_LIPS[0], 1] -= np.linspace(0, 8, frames)
    return landmarks


def track_over(frames: int, gaps: tuple[int, ...] = ()) -> Track:
    confidence = np.full(frames, 0.9, np.float32)
    confidence[list(gaps)] = 0
    boxes = np.tile(np.array([10, 10, 54, 54], np.float32), (frames, 1))
    return Track(boxes, moving_face(frames), confidence, (HEIGHT, WIDTH))


ROWS = make_rows(FRAMES)
TRACK_ROWS = replace(ROWS, rotation_degrees=None, track=track_over(FRAMES))
PLAIN_ROWS = replace(ROWS, rotation_degrees=None, audio=None)
QUIET_ROWS = replace(PLAIN_ROWS, audio=tone(1.0, 0), gates={"audio": torch.zeros(FRAMES)})


@pytest.fixture(scope="module")
def image() -> Tensor:
    return draw_monitor(ROWS)


@pytest.fixture(scope="module")
def plain_image() -> Tensor:
    return draw_monitor(PLAIN_ROWS)


@pytest.fixture(scope="module")
def track_image() -> Tensor:
    return draw_monitor(TRACK_ROWS)


def is_image(image: Tensor) -> bool:
    in_range = 0 <= float(image.min()) < float(image.max()) <= 1
    return image.ndim == 3 and image.shape[0] == 3 and image.is_floating_point() and in_range


def changed_columns(a: Tensor, b: Tensor) -> tuple[int, int]:
    """The first and the last column in which two images clearly differ."""
    columns = ((a - b).abs() > 0.1).any(0).any(0).nonzero()
    return int(columns.min()), int(columns.max())


# Form --------------------------------------------------------------------------------------------


def test_it_is_an_image_and_the_same_each_time(image: Tensor) -> None:
    assert is_image(image)
    assert torch.equal(draw_monitor(ROWS), image)


def test_what_is_known_adds_rows(plain_image: Tensor, image: Tensor, track_image: Tensor) -> None:
    assert plain_image.shape[2] == image.shape[2] == track_image.shape[2]
    assert plain_image.shape[1] < image.shape[1] < track_image.shape[1]


@pytest.mark.parametrize("frames", [0, -1])
def test_a_clip_without_frames_is_refused(frames: int) -> None:
    with pytest.raises(InputError, match=f"at least one frame, got {frames}"):
        draw_monitor(replace(PLAIN_ROWS, frames=frames, gates={}))


def test_one_frame_is_enough() -> None:
    rows = replace(make_rows(1), track=track_over(1))
    assert is_image(draw_monitor(rows))


def test_a_driven_clip_may_lack_a_signal() -> None:
    rows = replace(
        PLAIN_ROWS,
        gates={"audio": PLAIN_ROWS.gates["audio"]},
        masks={"audio": PLAIN_ROWS.masks["audio"]},
    )
    assert is_image(draw_monitor(rows))


@pytest.mark.parametrize("size", [(64, 192), (192, 64)])
def test_portraits_may_be_wide_or_tall(size: tuple[int, int]) -> None:
    mask = torch.ones(1, 1, *size)
    rows = replace(PLAIN_ROWS, portrait=rand(0, "portrait", 3, *size), masks={"audio": mask})
    assert is_image(draw_monitor(rows))


def test_what_is_shown_stays_as_it_is() -> None:
    before, rows = make_rows(3), make_rows(3)
    draw_monitor(rows)
    assert torch.equal(rows.portrait, before.portrait)
    assert all(torch.equal(rows.masks[name], mask) for name, mask in before.masks.items())
    assert all(torch.equal(rows.gates[name], gate) for name, gate in before.gates.items())
    assert np.array_equal(rows.audio.samples, before.audio.samples)


# Nothing else is touched -------------------------------------------------------------------------


def test_no_figure_stays_open(image: Tensor) -> None:
    assert is_image(image)
    assert plt.get_fignums() == []


def test_it_needs_no_pyplot_no_display_and_no_main_thread(
    plain_image: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    images: list[Tensor] = []
    worker = threading.Thread(target=lambda: images.append(draw_monitor(PLAIN_ROWS)))
    worker.start()
    worker.join()
    assert torch.equal(images[0], plain_image)


# Everything is seen ------------------------------------------------------------------------------


def with_gate(name: str, gate: Tensor) -> MonitorRows:
    return replace(PLAIN_ROWS, gates=PLAIN_ROWS.gates | {name: gate})


def with_mask(name: str, mask: Tensor) -> MonitorRows:
    return replace(PLAIN_ROWS, masks=PLAIN_ROWS.masks | {name: mask})


def pulse(at: int) -> Tensor:
    return torch.zeros(FRAMES).index_fill(0, torch.tensor(at), 1)


CHANGES = {
    "audio gate": with_gate("audio", 1 - pulse(5)),
    "expression gate": with_gate("expression", torch.linspace(1, 0, FRAMES)),
    "audio mask": with_mask("audio", box(16, 48, 48, 88)),
    "expression mask": with_mask("expression", torch.zeros(1, 1, HEIGHT, WIDTH)),
    "softer mask": with_mask("expression", 0.5 * box(*EXPRESSION_BOX)),
    "sound": replace(PLAIN_ROWS, audio=tone(FRAMES / FPS)),
    "portrait": replace(PLAIN_ROWS, portrait=PLAIN_ROWS.portrait.flip(2)),
    "rate": replace(PLAIN_ROWS, fps=25.0),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen(plain_image: Tensor, what: str) -> None:
    image = draw_monitor(CHANGES[what])
    assert image.shape == plain_image.shape
    assert not torch.equal(image, plain_image)


def quieter_end(audio: Audio) -> Audio:
    fade = np.where(np.arange(audio.samples.shape[1]) < 6500, 1, 0.2)
    return Audio(audio.samples * fade, audio.rate_hz)


def one_click(audio: Audio) -> Audio:
    samples = audio.samples.copy()
    samples[0, 4001] = 1
    return Audio(samples, audio.rate_hz)


@pytest.mark.parametrize("change", [quieter_end, one_click])
def test_all_of_the_sound_is_seen(image: Tensor, change: Callable[[Audio], Audio]) -> None:
    assert not torch.equal(draw_monitor(replace(ROWS, audio=change(ROWS.audio))), image)


def test_sound_after_the_clip_is_not_seen(image: Tensor) -> None:
    assert torch.equal(draw_monitor(replace(ROWS, audio=tone(3.0))), image)


def test_sound_may_end_early(image: Tensor) -> None:
    short_image = draw_monitor(replace(ROWS, audio=tone(0.5)))
    assert short_image.shape == image.shape
    assert changed_columns(short_image, image)[0] > image.shape[2] / 2


@pytest.mark.parametrize("angle", [0, 2])
def test_head_rotation_is_seen(image: Tensor, angle: int) -> None:
    rotation = ROWS.rotation_degrees.clone()
    rotation[6, angle] += 3
    assert not torch.equal(draw_monitor(replace(ROWS, rotation_degrees=rotation)), image)


def test_the_gate_of_a_single_frame_is_seen() -> None:
    rows = replace(make_rows(1), audio=None, rotation_degrees=None)
    images = [
        draw_monitor(replace(rows, gates={"audio": torch.full((1,), value)}))
        for value in (0.1, 0.9)
    ]
    assert not torch.equal(*images)


# Time --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def silence() -> Tensor:
    return draw_monitor(QUIET_ROWS)


@pytest.mark.parametrize("frame", [0, 5, 11])
def test_sound_and_gates_are_drawn_over_their_frame(silence: Tensor, frame: int) -> None:
    at = np.arange(RATE_HZ) * FPS / RATE_HZ
    burst = np.where((at >= frame) & (at < frame + 1), 0.9, 0).astype(np.float32)[None]
    sound_image = draw_monitor(replace(QUIET_ROWS, audio=Audio(burst, RATE_HZ)))
    gate_image = draw_monitor(replace(QUIET_ROWS, gates={"audio": pulse(frame)}))
    sound_columns = changed_columns(sound_image, silence)
    gate_columns = changed_columns(gate_image, silence)
    assert np.allclose(sound_columns, gate_columns, atol=6)


# Regions over time -------------------------------------------------------------------------------


def moving_mask(frames: int) -> Tensor:
    return torch.cat([box(8 + i, 56, 40 + i, 88) for i in range(frames)])


@pytest.fixture(scope="module")
def moving() -> Tensor:
    return draw_monitor(with_mask("audio", moving_mask(FRAMES)))


@pytest.mark.parametrize("frame", [0, FRAMES - 1])
def test_masks_are_seen_at_both_ends(moving: Tensor, frame: int) -> None:
    mask = moving_mask(FRAMES)
    mask[frame] = 0
    first, last = changed_columns(draw_monitor(with_mask("audio", mask)), moving)
    middle = moving.shape[2] / 2
    assert (last < middle) if frame == 0 else (first > middle)


@pytest.mark.parametrize("frames", [1, 2, 7, 8, 9, 100, 1001])
def test_thumbnails_are_spread_over_the_clip(frames: int) -> None:
    masks = {"audio": torch.ones(frames, 1, 2, 2), "expression": torch.ones(1, 1, 2, 2)}
    indices = choose_thumbnail_frames(replace(PLAIN_ROWS, frames=frames, masks=masks))
    assert (indices[0], indices[-1], len(indices)) == (0, frames - 1, min(frames, 8))
    steps = np.diff(indices)
    assert (steps > 0).all()
    assert np.ptp(steps) <= 1 if len(steps) else frames == 1


@pytest.mark.parametrize("frames", [1, 2, 1001])
def test_masks_that_stand_still_have_one_thumbnail(frames: int) -> None:
    assert choose_thumbnail_frames(replace(PLAIN_ROWS, frames=frames)) == [0]


# The driving face --------------------------------------------------------------------------------


def points_of(part: str) -> tuple[int, ...]:
    parts = {"head": (t.LEFT_TEMPLE,), "eye": t.RIGHT_LIDS[0], "mouth": (t.INNER_LIPS[1],)}
    return parts[part]


@pytest.mark.parametrize("part", ["head", "eye", "mouth"])
def test_the_driving_face_is_seen(track_image: Tensor, part: str) -> None:
    landmarks = moving_face(FRAMES)
    landmarks[6, points_of(part)] += 4
    rows = replace(TRACK_ROWS, track=replace(TRACK_ROWS.track, landmarks=landmarks))
    assert not torch.equal(draw_monitor(rows), track_image)


def test_gaps_are_marked_in_their_place(track_image: Tensor) -> None:
    image = draw_monitor(replace(TRACK_ROWS, track=track_over(FRAMES, gaps=(9,))))
    assert image.shape == track_image.shape
    first, last = changed_columns(image, track_image)
    assert track_image.shape[2] / 2 < first < last < first + track_image.shape[2] / FRAMES


def test_a_track_may_end_early(track_image: Tensor) -> None:
    image = draw_monitor(replace(TRACK_ROWS, track=track_over(5, gaps=(4,))))
    assert is_image(image)
    assert image.shape == track_image.shape


def test_a_longer_track_is_cut(track_image: Tensor) -> None:
    longer = track_over(FRAMES + 5, gaps=(FRAMES + 2,))
    longer.landmarks[:FRAMES] = TRACK_ROWS.track.landmarks
    assert torch.equal(draw_monitor(replace(TRACK_ROWS, track=longer)), track_image)


def test_a_track_without_landmarks_adds_nothing(plain_image: Tensor) -> None:
    boxes_only = replace(TRACK_ROWS.track, landmarks=None)
    assert torch.equal(draw_monitor(replace(PLAIN_ROWS, track=boxes_only)), plain_image)
