"""TGDM without one of its parts: that part no longer matters, and the others do."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.tgdm import TINY

from actalker_core.geometry.mesh import FaceMesh
from actalker_core.learning.trainer import TrainConfig
from actalker_core.models.tgdm.config import COEFFICIENTS, VARIANTS
from actalker_core.models.tgdm.network import Geometry
from actalker_core.training.tgdm.ablations import ABLATIONS, measure_ablation, train_ablation

PARTS = {
    "without texture attention": "texture",
    "without I_3d": "face",
    "without coefficients": "coefficients",
    "without gate": "gate",
}


def find_parts_that_matter(name: str) -> set[str]:
    torch.manual_seed(0)
    network = ABLATIONS[name](TINY)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    side = TINY.side_px
    geometry = Geometry(
        face=torch.randn(1, 3, side, side),
        photograph=torch.randn(1, 3, side, side),
        invented_mask=torch.rand(1, 1, side, side),
        coefficients=torch.randn(1, COEFFICIENTS),
    )
    source = torch.randn(2, 3, side, side)
    textures = [network.texture_encoder(image[None]) for image in source]
    out = network.predict(geometry, textures[0])
    answers = {
        "texture": network.predict(geometry, textures[1]),
        "face": network.predict(replace(geometry, face=-geometry.face), textures[0]),
        "coefficients": network.predict(
            replace(geometry, coefficients=-geometry.coefficients), textures[0]
        ),
    }
    with torch.no_grad():
        assert network.conv_out.bias is not None
        network.conv_out.bias[-(TINY.patch_px**2) :] += 1
    answers["gate"] = network.predict(geometry, textures[0])
    return {part for part, answer in answers.items() if not torch.equal(answer, out)}


@pytest.mark.parametrize("name", ABLATIONS)
def test_a_part_that_is_left_out_does_not_matter(name: str) -> None:
    with torch.no_grad():
        assert find_parts_that_matter(name) == set(PARTS.values()) - {PARTS.get(name)}


def test_an_ablation_ends_with_its_time_and_is_measured(mesh: FaceMesh, tmp_path: Path) -> None:
    recipe = TrainConfig(steps=1000, batch_size=1, learning_rate=1e-3, ema_decay=0.9)
    config = replace(VARIANTS["tiny"], side_px=128)
    trainer = train_ablation("without I_3d", config, recipe, mesh, tmp_path, cpu_seconds=0.0)
    assert trainer.step == 1
    scores = measure_ablation(trainer, people=1, frames=3)
    assert scores["steps"] == 1
    assert scores["PSNR, face"] > 5
