"""What is measured of TGDM: the truth is the best that there is."""

import math
from dataclasses import replace

import numpy as np
import pytest
from helpers.tgdm import TINY

from actalker_core.geometry.mesh import FaceMesh
from actalker_core.models.tgdm.config import VARIANTS
from actalker_core.models.tgdm.network import TGDM
from actalker_core.models.tgdm.sampling import Sampling
from actalker_core.training.likeness import detail, flicker, psnr_db, ssim
from actalker_core.training.tgdm import measures
from actalker_core.training.tgdm.measures import DrawnVideo, draw_video, finish_video, measure_video
from actalker_core.training.tgdm.pairs import PairMaker


@pytest.fixture(scope="module")
def video(mesh: FaceMesh) -> DrawnVideo:
    return draw_video(PairMaker(mesh), person=3, frames=4)


def test_the_truth_is_like_itself(video: DrawnVideo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "fit_states", lambda identity, rest, images: video.states)
    scores = measure_video(video, video.targets)
    for name, score in scores.items():
        expected = math.inf if name.startswith("PSNR") else 1.0
        assert score == pytest.approx(expected), name
    assert {"PSNR, face", "PSNR, whole", "flicker", "read back, yaw"} <= scores.keys()


def test_what_is_farther_from_the_truth_scores_less(
    video: DrawnVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measures, "fit_states", lambda identity, rest, images: video.states)
    photograph, still = (
        measure_video(video, images)
        for images in (
            [pair.frame.image for pair in video.pairs],
            [pair.source for pair in video.pairs],
        )
    )
    for name in ("PSNR, face", "SSIM, face", "SSIM, whole"):
        assert photograph[name] > still[name]
    assert still["flicker"] == 0


def test_a_clip_is_finished_by_the_network(video: DrawnVideo) -> None:
    network = TGDM(replace(VARIANTS["tiny"], side_px=128))
    images = finish_video(network, video, Sampling(1))
    assert len(images) == 4
    assert all(image.shape == (128, 128, 3) for image in images)
    assert TINY.patch_px == network.config.patch_px
    again = finish_video(network, replace(video, pairs=video.pairs[2:]), Sampling(1))
    assert np.abs(again[0].astype(int) - images[2]).max() <= 1, "one noise for the video"


def test_regions_lie_where_their_names_say(video: DrawnVideo) -> None:
    regions = measures.list_regions(video)
    assert regions["whole"].all()
    assert not (regions["face"] & regions["hair and background"]).any()
    is_open = regions["inside the mouth"].any((1, 2))
    inner = regions["inside the mouth"][is_open]
    assert not (inner & ~regions["mouth and lids"][is_open]).any()


def test_likeness_within_a_mask_knows_nothing_of_the_rest() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 255, (2, 24, 24, 3)).astype(np.uint8)
    mix = first.copy()
    mix[:, 12:] = second[:, 12:]
    left = np.zeros((1, 24, 24), bool)
    left[:, 4:20, :8] = True
    assert psnr_db([mix], [first], left) == math.inf
    assert ssim([mix], [first], left) == pytest.approx(1)
    assert ssim([mix], [first], left[..., ::-1]) < 0.5
    assert detail([mix], left) == detail([first], left) > 0


def test_what_glides_does_not_flicker() -> None:
    ramp = [np.full((4, 4, 3), 10 * i, np.uint8) for i in range(5)]
    jump = [np.full((4, 4, 3), 40 * (i % 2), np.uint8) for i in range(5)]
    assert flicker(ramp) == 0
    assert flicker(jump) == 80
