"""Pairs of drawn people: what is read comes of the source, and the truth is the target."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from actalker_core.geometry.mesh import FaceMesh
from actalker_core.geometry.photograph import RenderedFrame
from actalker_core.learning.trainer import TrainConfig, Trainer
from actalker_core.models.tgdm.augmentation import cover_parts
from actalker_core.models.tgdm.config import COEFFICIENTS, VARIANTS
from actalker_core.models.tgdm.network import TGDM
from actalker_core.models.tgdm.objective import geometry_of, measure_psnr, stack_pairs
from actalker_core.synthetic.identities import FaceState, make_identity, swap_texture
from actalker_core.synthetic.motion import random_portrait_state, random_state
from actalker_core.training.tgdm import pairs
from actalker_core.training.tgdm.objective import HELD_OUT, TGDMObjective
from actalker_core.training.tgdm.pairs import PairMaker, fill_outline

CONFIG = TrainConfig(steps=4, batch_size=2, learning_rate=1e-3, ema_decay=0.9, log_every=2)


@pytest.fixture(scope="module")
def maker(mesh: FaceMesh) -> PairMaker:
    return PairMaker(mesh)


@pytest.fixture
def objective(mesh: FaceMesh) -> TGDMObjective:
    torch.manual_seed(0)
    return TGDMObjective(CONFIG, TGDM(VARIANTS["tiny"]), mesh, people=5)


def test_a_face_that_does_not_move_is_the_source(maker: PairMaker) -> None:
    state = random_portrait_state(np.random.default_rng(0))
    pair = maker.move(make_identity(3), state, state)
    assert np.abs(pair.frame.image.astype(int) - pair.source).mean() < 1
    assert np.array_equal(pair.source, pair.target)


@pytest.mark.parametrize("seed", range(4))
def test_the_moved_source_is_nearer_to_the_truth_than_the_source(
    maker: PairMaker, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pair = maker.move(make_identity(seed), random_portrait_state(rng), random_state(rng))
    batch = stack_pairs([pair])
    face = torch.from_numpy(fill_outline(pair.drawing, "face"))[None]
    before, after = (
        measure_psnr(image, batch["target"], face)
        for image in (batch["source"], batch["photograph"])
    )
    assert after > before + 1


def test_the_face_stands_on_black_and_leaves_the_mouth_open(maker: PairMaker) -> None:
    pair = maker.move(make_identity(1), FaceState(), FaceState(open=1.0))
    geometry = geometry_of(stack_pairs([pair]))
    assert (geometry.face[0, :, 0, 0] == -1).all()
    x, y = pair.landmarks[[13, 14], :2].mean(0).round().astype(int)
    assert (geometry.face[0, :, y, x] == -1).all(), "the middle of the open mouth"
    x, y = pair.landmarks[1, :2].round().astype(int)
    assert torch.equal(geometry.face[0, :, y, x], geometry.photograph[0, :, y, x]), "the nose"


def test_coefficients_say_what_the_target_does_whatever_the_source_did(maker: PairMaker) -> None:
    identity, target = make_identity(2), FaceState(open=0.8, smile=0.5, yaw=10.0)
    rows = [
        stack_pairs([maker.move(identity, source, target)])["coefficients"][0]
        for source in (FaceState(), FaceState(smile=0.4, open=0.3, yaw=-5.0))
    ]
    assert rows[0].shape == (COEFFICIENTS,)
    assert (rows[0] - rows[1]).abs().max() < 0.2
    still = stack_pairs([maker.move(identity, FaceState(), FaceState())])["coefficients"][0]
    assert (rows[0] - still).abs().max() > 0.3


def test_a_batch_follows_from_its_seed(objective: TGDMObjective) -> None:
    first, second, third = (objective.make_batch(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["target"], third["target"])


def test_people_that_are_held_out_are_never_drawn(
    objective: TGDMObjective, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []
    make_person = pairs.make_identity
    monkeypatch.setattr(
        pairs, "make_identity", lambda seed: seeds.append(seed) or make_person(seed)
    )
    for step in range(8):
        objective.make_batch(np.random.default_rng(step))
    count = 8 * CONFIG.batch_size
    assert count < len(seeds) < 2 * count, "some pairs are of two people"
    assert max(seeds) < objective.people < HELD_OUT


@pytest.mark.parametrize("seed", range(3))
def test_a_swap_is_the_target_but_for_the_texture_of_its_face(maker: PairMaker, seed: int) -> None:
    pair = maker.make_swap(np.random.default_rng(seed), (seed, seed + 100), clean=True)
    target = replace(make_identity(seed + 100), glasses=0)
    change = np.abs(pair.frame.image.astype(int) - pair.target).max(-1) > 0
    face = fill_outline(pair.drawing, "face")
    wide = cv2.dilate(face.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert change[face].any()
    assert not change[~wide].any(), "outside is the target's"
    assert swap_texture(target, target) == replace(target, facial_hair=target.hair)
    mask = pair.frame.invented_mask > 0
    assert mask.any()
    assert not mask[0, 0]


@pytest.mark.parametrize("seed", range(6))
def test_what_covers_a_face_is_told_of_or_not_and_the_rest_stays(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = RenderedFrame(np.full((32, 32, 3), 99, np.uint8), np.zeros((32, 32), np.uint8))
    before = frame.image.copy()
    frames = [cover_parts(frame, rng) for _ in range(40)]
    assert np.array_equal(frame.image, before), "nothing is written into what came in"
    occluders = [f for f in frames if (f.image != before).any()]
    assert 0 < len(occluders) < len(frames)
    in_mask = [f for f in occluders if f.invented_mask.any()]
    assert 0 < len(in_mask) < len(occluders)
    for item in in_mask:
        assert (item.image[item.invented_mask > 0] != 99).any()


def test_every_weight_learns(objective: TGDMObjective) -> None:
    for weight in objective.network.parameters():  # those that begin as zeros pass nothing on
        torch.nn.init.normal_(weight, std=0.1)
    objective.compute_loss(objective.make_batch(np.random.default_rng(0))).backward()
    silent = [n for n, p in objective.network.named_parameters() if not p.grad.abs().sum()]
    assert not silent


def test_training_resumes_to_the_bit(mesh: FaceMesh, tmp_path: Path) -> None:
    def train(folder: str, *stops: int) -> dict[str, torch.Tensor]:
        for stop in stops:
            torch.manual_seed(0)
            objective = TGDMObjective(CONFIG, TGDM(VARIANTS["tiny"]), mesh, people=5)
            Trainer(objective, tmp_path / folder, torch.device("cpu")).train(stop)
        return objective.network.state_dict()

    full, halves = train("whole", 4), train("halves", 2, 4)
    assert all(torch.equal(full[name], halves[name]) for name in full)
