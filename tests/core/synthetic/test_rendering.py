"""Drawn faces: the same for a seed, and each of their numbers moves what it says."""

from dataclasses import fields

import numpy as np
import pytest

from actalker_core.synthetic.identities import FaceState, Identity, make_identity
from actalker_core.synthetic.rendering import (
    MOUTH_INSIDE,
    SCLERA,
    SIDE_PX,
    Rendering,
    render_face,
    stack_images,
)

SEEDS = range(12)


def render(seed: int = 5, **state: float) -> Rendering:
    return render_face(make_identity(seed), FaceState(**state))


def count_pixels(frame: Rendering, colour: tuple[float, float, float], part: str) -> int:
    """Pixels of a colour in the box around a part."""
    (x0, y0), (x1, y1) = frame.landmarks[part].min(0), frame.landmarks[part].max(0)
    pixels = frame.image[int(y0) : int(y1) + 2, int(x0) : int(x1) + 2].astype(float)
    return int((np.abs(pixels - colour).max(axis=2) < 24).sum())


def centre(frame: Rendering, part: str) -> np.ndarray:
    return frame.landmarks[part].mean(0)


def test_a_seed_is_one_identity_and_one_image() -> None:
    assert make_identity(7) == make_identity(7)
    assert np.array_equal(render(7, yaw=10).image, render(7, yaw=10).image)
    images = [render(seed).image.astype(int) for seed in SEEDS]
    for i, image in enumerate(images):
        assert all(np.abs(image - previous).mean() > 2 for previous in images[:i])


def test_identities_differ_in_everything() -> None:
    identities = [make_identity(seed) for seed in range(60)]
    for field in fields(Identity):
        if field.name != "facial_hair":  # by default the colour of the hair
            assert len({getattr(identity, field.name) for identity in identities}) > 1, field.name


@pytest.mark.parametrize("seed", SEEDS)
def test_images_hold_the_face(seed: int) -> None:
    frame = render(seed, yaw=20, pitch=-10, roll=8, x=4, y=-3)
    assert frame.image.shape == (SIDE_PX, SIDE_PX, 3)
    assert frame.image.dtype == np.uint8
    x0, y0, x1, y1 = frame.face_box
    assert 0 < x0 < x1 < SIDE_PX
    assert 0 < y0 < y1 < SIDE_PX
    mouth = frame.mouth_box
    assert x0 < mouth[0] < mouth[2] < x1
    assert y0 < mouth[1] < mouth[3] < y1


def test_images_become_a_tensor() -> None:
    images = [render(seed).image for seed in range(2)]
    frames = stack_images(images)
    assert frames.shape == (2, 3, SIDE_PX, SIDE_PX)
    assert np.array_equal((frames[1] * 255).round().byte().permute(1, 2, 0).numpy(), images[1])


@pytest.mark.parametrize("seed", SEEDS)
def test_an_open_mouth_shows_its_inside(seed: int) -> None:
    areas = [
        count_pixels(render(seed, open=value), MOUTH_INSIDE, "mouth") for value in (0, 0.3, 0.6, 1)
    ]
    assert areas[0] == 0
    assert areas == sorted(set(areas))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("seed", SEEDS)
def test_an_open_eye_shows_its_white(seed: int, side: str) -> None:
    eye = f"eye_{side}"
    areas = [count_pixels(render(seed, **{eye: value}), SCLERA, eye) for value in (0, 0.5, 1)]
    assert areas == sorted(set(areas))


def test_the_head_turns_as_its_angles_say() -> None:
    rest = centre(render(), "mouth")
    names = ("yaw", "pitch", "x", "y")
    shift = {name: centre(render(**{name: 15}), "mouth") - rest for name in names}
    assert shift["yaw"][0] > 3
    assert shift["pitch"][1] < -1
    assert shift["x"] == pytest.approx([15, 0])
    assert shift["y"] == pytest.approx([0, 15])
    right, left = (centre(render(roll=15), f"eye_{side}") for side in ("right", "left"))
    assert left[1] - right[1] > 3


def test_brows_rise() -> None:
    heights = [centre(render(brows=value), "brow_left")[1] for value in (-1, 0, 1)]
    assert heights == sorted(heights, reverse=True)


def test_a_smile_lifts_the_corners_and_a_round_mouth_is_narrow() -> None:
    def corner(**state: float) -> np.ndarray:
        return render(**state).landmarks["mouth"][0]

    assert corner(smile=1)[1] < corner()[1] < corner(smile=-1)[1]
    assert corner(round=1)[0] < corner()[0] < corner(wide=1)[0]


def test_what_moves_one_part_leaves_the_others() -> None:
    rest, speaking = render(), render(open=1, wide=0.5)
    changes = np.argwhere(np.any(rest.image != speaking.image, axis=2))
    x0, y0, x1, y1 = speaking.mouth_box
    assert changes[:, 0].min() >= y0 - 2
    assert changes[:, 0].max() <= y1 + 2
    assert changes[:, 1].min() >= x0 - 2
    assert changes[:, 1].max() <= x1 + 2
