"""Drawn people: the same for a seed, and each of their numbers moves what it says."""

import numpy as np
import pytest

from actalker_core.synthetic.people import Person, State, draw_person
from actalker_core.synthetic.world import MOUTH_INSIDE, SCLERA, SIDE_PX, Drawn, draw

SEEDS = range(12)


def drawn(seed: int = 5, **state: float) -> Drawn:
    return draw(draw_person(seed), State(**state))


def count(frame: Drawn, colour: tuple[float, float, float], part: str) -> int:
    """Pixels of a colour in the box around a part."""
    (x0, y0), (x1, y1) = frame.landmarks[part].min(0), frame.landmarks[part].max(0)
    seen = frame.picture[int(y0) : int(y1) + 2, int(x0) : int(x1) + 2].astype(float)
    return int((np.abs(seen - colour).max(axis=2) < 24).sum())


def middle(frame: Drawn, part: str) -> np.ndarray:
    return frame.landmarks[part].mean(0)


def test_a_seed_is_one_person_and_one_picture() -> None:
    assert draw_person(7) == draw_person(7)
    assert np.array_equal(drawn(7, yaw=10).picture, drawn(7, yaw=10).picture)
    pictures = [drawn(seed).picture for seed in SEEDS]
    for i, one in enumerate(pictures):
        assert all(np.abs(one.astype(int) - other).mean() > 2 for other in pictures[:i])


def test_people_differ_in_everything() -> None:
    people = [draw_person(seed) for seed in range(60)]
    for field in Person.__dataclass_fields__:
        assert len({getattr(person, field) for person in people}) > 1, field


@pytest.mark.parametrize("seed", SEEDS)
def test_pictures_are_whole(seed: int) -> None:
    frame = drawn(seed, yaw=20, pitch=-10, roll=8, x=4, y=-3)
    assert frame.picture.shape == (SIDE_PX, SIDE_PX, 3)
    assert frame.picture.dtype == np.uint8
    x0, y0, x1, y1 = frame.face
    assert 0 < x0 < x1 < SIDE_PX
    assert 0 < y0 < y1 < SIDE_PX
    mouth = frame.mouth
    assert x0 < mouth[0] < mouth[2] < x1
    assert y0 < mouth[1] < mouth[3] < y1


@pytest.mark.parametrize("seed", SEEDS)
def test_an_open_mouth_shows_its_inside(seed: int) -> None:
    areas = [count(drawn(seed, open=value), MOUTH_INSIDE, "mouth") for value in (0, 0.3, 0.6, 1)]
    assert areas[0] == 0
    assert areas == sorted(set(areas))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("seed", SEEDS)
def test_an_open_eye_shows_its_white(seed: int, side: str) -> None:
    shut, half, wide = (
        count(drawn(seed, **{f"eye_{side}": value}), SCLERA, f"eye_{side}") for value in (0, 0.5, 1)
    )
    assert shut < half < wide


def test_the_head_turns_as_it_is_told() -> None:
    rest = drawn()
    nose = {key: middle(drawn(**{key: 15}), "mouth") - middle(rest, "mouth") for key in STEERED}
    assert nose["yaw"][0] > 3
    assert nose["pitch"][1] < -1
    assert nose["x"] == pytest.approx([15, 0])
    assert nose["y"] == pytest.approx([0, 15])
    eyes = [middle(drawn(roll=15), f"eye_{side}") for side in ("right", "left")]
    assert eyes[1][1] - eyes[0][1] > 3


STEERED = ("yaw", "pitch", "x", "y")


def test_brows_rise() -> None:
    heights = [middle(drawn(brows=value), "brow_left")[1] for value in (-1, 0, 1)]
    assert heights == sorted(heights, reverse=True)


def test_a_smile_lifts_the_corners_and_a_round_mouth_is_narrow() -> None:
    def corner(**state: float) -> np.ndarray:
        return drawn(**state).landmarks["mouth"][0]

    assert corner(smile=1)[1] < corner()[1] < corner(smile=-1)[1]
    assert corner(round=1)[0] < corner()[0] < corner(wide=1)[0]


def test_what_moves_one_part_leaves_the_others() -> None:
    rest, speaking = drawn(), drawn(open=1, wide=0.5)
    changed = np.argwhere(np.any(rest.picture != speaking.picture, axis=2))
    x0, y0, x1, y1 = speaking.mouth
    assert changed[:, 0].min() >= y0 - 2
    assert changed[:, 0].max() <= y1 + 2
    assert changed[:, 1].min() >= x0 - 2
    assert changed[:, 1].max() <= x1 + 2
