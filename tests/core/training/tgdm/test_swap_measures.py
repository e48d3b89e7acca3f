"""What is measured of face swaps: the truth is the source's, the clip is the target's."""

import numpy as np
import pytest
from helpers.tgdm import make_network

from actalker_core.geometry.mesh import FaceMesh
from actalker_core.training.tgdm import swap_measures
from actalker_core.training.tgdm.pairs import PairMaker
from actalker_core.training.tgdm.swap_measures import (
    DrawnSwap,
    draw_swap,
    measure_swap,
    measure_swaps,
)


@pytest.fixture(scope="module")
def maker(mesh: FaceMesh) -> PairMaker:
    return PairMaker(mesh)


@pytest.fixture
def example(maker: PairMaker, monkeypatch: pytest.MonkeyPatch) -> DrawnSwap:
    swap = draw_swap(maker, 1, 3)
    monkeypatch.setattr(swap_measures, "fit_states", lambda identity, rest, images: swap.states)
    return swap


def test_the_truth_has_the_source_s_identity_and_the_clip_the_target_s(example: DrawnSwap) -> None:
    truth = measure_swap(example, [drawing.image for drawing in example.truth])
    clip = measure_swap(example, example.frames)
    assert truth["identity"] == pytest.approx(1)
    assert clip["identity"] == 0
    assert clip["changed of the picture"] == 0
    assert truth["SSIM, face"] == pytest.approx(1)
    assert truth["SSIM, face"] > clip["SSIM, face"]
    assert truth["read back, yaw"] == pytest.approx(1)


def test_half_way_is_half_of_each(example: DrawnSwap) -> None:
    halves = [
        ((drawing.image.astype(int) + frame) // 2).astype(np.uint8)
        for drawing, frame in zip(example.truth, example.frames, strict=True)
    ]
    assert measure_swap(example, halves)["identity"] == pytest.approx(0.5, abs=0.02)


def test_every_way_of_a_swap_is_measured_and_stays_near_the_face(
    example: DrawnSwap, maker: PairMaker
) -> None:
    columns = measure_swaps(make_network(), maker, pairs=1, frames=3)
    assert list(columns) == ["target", "geometry", "regression", "diffusion"]
    assert columns["geometry"]["identity"] > 0.2
    assert 0 < columns["regression"]["changed of the picture"] < 0.6
    assert columns["regression"]["of it beyond the face"] < 0.2
