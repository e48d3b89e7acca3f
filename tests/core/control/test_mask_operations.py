"""Masks that are joined, grown and compared."""

import time

import cv2
import numpy as np
import pytest
import torch
from helpers.drawn_faces import SIZE, draw_mask, is_inside, quick
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.control import regions
from actalker_core.control.regions import grow_mask, overlap_share


def make_mask(seed: int, *, count: int = 2, soft: bool = False) -> Tensor:
    noise = torch.rand(count, 1, 14, 11, generator=torch.Generator().manual_seed(seed))
    return noise if soft else (noise > 0.8).float()


SEEDS, REACHES = st.integers(0, 10_000), st.integers(0, 6)


# Algebra -----------------------------------------------------------------------------------------


@quick
@given(
    st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4),
    st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4),
)
def test_soft_masks_keep_the_algebra(a: list[float], b: list[float]) -> None:
    first, second = (torch.tensor(values).view(1, 1, 2, 2) for values in (a, b))
    assert is_inside(torch.maximum(first, second), regions.unite_masks(first, second))
    assert is_inside(regions.intersect_masks(first, second), torch.minimum(first, second))
    assert is_inside(regions.subtract_mask(first, second), first)
    assert not regions.subtract_mask(first, torch.ones_like(first)).any()
    assert torch.equal(regions.subtract_mask(first, torch.zeros_like(first)), first)


# Growing -----------------------------------------------------------------------------------------


@quick
@given(SEEDS, REACHES, st.booleans())
def test_grown_masks_contain_and_shrunk_ones_are_contained(
    seed: int, reach: int, soft: bool
) -> None:
    mask = make_mask(seed, soft=soft)
    assert is_inside(mask, grow_mask(mask, reach))
    assert is_inside(grow_mask(mask, -reach), mask)
    assert is_inside(grow_mask(mask, reach), grow_mask(mask, reach + 1))
    assert grow_mask(mask, reach).shape == grow_mask(mask, -reach).shape == mask.shape
    assert grow_mask(mask, reach).max() <= 1
    assert grow_mask(mask, -reach).min() >= 0


@quick
@given(SEEDS, REACHES)
def test_growing_is_shrinking_what_is_around(seed: int, reach: int) -> None:
    mask = make_mask(seed)
    assert torch.equal(grow_mask(1 - mask, reach), 1 - grow_mask(mask, -reach))


def test_growing_by_nothing_changes_nothing() -> None:
    mask = make_mask(1, soft=True)
    assert torch.equal(grow_mask(mask, 0), mask)


@pytest.mark.parametrize("reach", [1, 2, 5])
def test_growing_reaches_so_many_pixels_to_all_sides(reach: int) -> None:
    mask = torch.zeros(1, 1, 21, 21)
    mask[..., 10, 10] = 1
    result = grow_mask(mask, reach)[0, 0]
    assert result[10].nonzero().flatten().tolist() == list(range(10 - reach, 11 + reach))
    assert result[:, 10].nonzero().flatten().tolist() == list(range(10 - reach, 11 + reach))
    assert result.any(0).sum() == result.any(1).sum() == 2 * reach + 1
    assert torch.equal(result, result.flip(0))


@pytest.mark.parametrize("reach", [3, -3])
def test_each_frame_grows_alone(reach: int) -> None:
    clip = make_mask(3, count=4)
    alone = torch.cat([grow_mask(frame[None], reach) for frame in clip])
    assert torch.equal(grow_mask(clip, reach), alone)


@pytest.mark.parametrize("reach", [2, -2, 40, -40])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nothing_and_everything_stay_what_they_are(value: float, reach: int) -> None:
    mask = torch.full((1, 1, 9, 9), value)
    assert torch.equal(grow_mask(mask, reach), mask)


def test_views_grow_like_their_copies() -> None:
    mask = make_mask(4)
    for view in (mask[:1].expand(3, -1, -1, -1), mask.transpose(2, 3), mask[..., ::2], mask > 0):
        assert torch.equal(grow_mask(view, 1), grow_mask(view.contiguous().float().clone(), 1))


def test_a_disc_widens_as_opencv_does_it() -> None:
    mask = np.random.default_rng(0).random((70, 50), np.float32) ** 40
    for pixels in (1, 2, 7, -3, 40, -69, 99):
        side = 2 * abs(pixels) + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        expected = (cv2.dilate if pixels > 0 else cv2.erode)(mask, disc)
        assert np.array_equal(
            regions.grow_mask(torch.from_numpy(mask)[None, None], pixels)[0, 0], expected
        )


def test_the_widest_disc_takes_no_longer_than_a_blink() -> None:
    start = time.process_time()
    regions.grow_mask(torch.zeros(1, 1, 288, 288), 256)
    assert time.process_time() - start < 1.0  # 3 s when a disc was taken at once


# Overlap -----------------------------------------------------------------------------------------


@quick
@given(SEEDS, SEEDS, st.booleans())
def test_the_share_of_two_masks_lies_in_0_to_1_either_way(
    seed: int, other_seed: int, soft: bool
) -> None:
    a, b = make_mask(seed, soft=soft), make_mask(other_seed, count=1, soft=soft)
    share = overlap_share(a, b)
    assert 0 <= share <= 1
    assert overlap_share(b, a) == pytest.approx(share)
    assert overlap_share(a, a.clone()) == (1 if a.any() else 0)


@pytest.mark.parametrize("frames", [1, 7])
def test_the_share_is_never_above_1(frames: int) -> None:
    for rows in range(50, 80):
        soft = torch.rand(1, 1, rows, 37, generator=torch.Generator().manual_seed(rows))
        assert 0.9999 < overlap_share(soft, torch.ones(frames, 1, rows, 37)) <= 1


def test_the_share_is_of_the_smaller_mask() -> None:
    assert overlap_share(draw_mask("upper"), draw_mask("lower")) == 0
    assert overlap_share(draw_mask("lips"), draw_mask("oval")) == 1
    assert overlap_share(draw_mask("oval"), draw_mask("lips")) == 1
    assert overlap_share(draw_mask("all"), torch.zeros(1, 1, *SIZE)) == 0
    left, right = torch.zeros(2, 1, 1, 2, 8).unbind(0)
    left[..., :4], right[..., 3:] = 1, 1
    assert overlap_share(left, right) == pytest.approx(0.25)
    assert overlap_share(left.expand(3, -1, -1, -1), right) == pytest.approx(0.25)
