"""What a plan refuses and what it brings into shape."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.hopper import FPS, nod
from helpers.recorded_faces import needs_model

from actalker_core.control.motion.columns import build_motion
from actalker_core.errors import InputError
from actalker_core.geometry.photograph import Photograph
from actalker_core.media import Audio
from actalker_core.models.photograph.plan import Driver, plan_photograph

pytestmark = needs_model


@pytest.mark.parametrize("fps", [12.5, 23.976, 25.0, 60.0])
def test_any_frame_rate_shows_the_same_motion(photograph: Photograph, fps: float) -> None:
    plan = plan_photograph(photograph, nod(50), fps=fps)
    assert plan.fps == fps
    assert plan.frames == int(2 * fps)
    last = (plan.frames - 1) / fps * FPS
    expected = np.interp(last, range(50), nod(50).blendshapes[:, 25].numpy())
    assert plan.motion.blendshapes[-1, 25] == pytest.approx(expected, abs=1e-5)


def test_a_video_is_as_long_as_motion_and_frames_allow(photograph: Photograph) -> None:
    sound = Audio(np.zeros((1, 16_000), np.float32), 16_000)
    plan = plan_photograph(photograph, nod(50), max_frames=5, sound=sound)
    assert plan.frames == 5
    assert plan.sound is not None
    assert plan.sound.seconds == pytest.approx(0.2)
    assert plan_photograph(photograph, nod(3), max_frames=5).frames == 3


def test_a_turn_beyond_what_shows_is_less_and_warned_of(
    photograph: Photograph, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        plan = plan_photograph(photograph, build_motion({"yaw": torch.full((3,), 60.0)}, FPS, "x"))
    assert "60°" in caplog.text
    assert 10 < float(plan.motion.rotation_degrees.max()) <= 25
    caplog.clear()
    plan_photograph(photograph, nod())
    assert not caplog.records


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lips": "loose"}, "Lips"),
        ({"mouth": "his"}, "Mouth"),
        ({"fps": 0.0}, "Frames per second"),
        ({"fps": float("nan")}, "Frames per second"),
        ({"max_frames": 0}, "Frames"),
        ({"mask": torch.ones(3, 3)}, "Mask: expected the portrait's"),
        ({"mouth": "driver"}, "got none"),
        ({"mouth": "driver", "driver": Driver([], np.zeros((3, 478, 3)))}, "got 3 frames"),
        ({"fps": 1.0}, "less than a frame"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(
    photograph: Photograph, options: dict[str, object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        plan_photograph(photograph, nod(), **options)  # type: ignore[arg-type]


def test_the_drivers_mouth_is_shown_where_it_moves_the_lips(photograph: Photograph) -> None:
    driver = Driver([], np.zeros((8, 478, 3)))

    def choose(**options: object) -> Driver | None:
        return plan_photograph(photograph, nod(8), driver=driver, **options).driver  # type: ignore[arg-type]

    assert choose() is driver
    assert choose(drives_mouth=False) is None
    assert choose(drives_mouth=False, mouth="driver") is driver
    assert choose(mouth="own") is None
    assert plan_photograph(photograph, nod(9), driver=driver).driver is None


def test_numbers_that_are_none_are_refused() -> None:
    with pytest.raises(InputError):
        replace(nod(), blendshapes=torch.full((8, 52), torch.nan))
    with pytest.raises(InputError):
        replace(nod(), blendshapes=torch.zeros(8, 51))
    with pytest.raises(InputError):
        replace(nod(), blendshapes=torch.zeros(7, 52))
