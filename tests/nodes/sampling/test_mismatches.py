"""A conditioning, a model or a latent that does not belong to the others is refused by name."""

from typing import Any

import pytest
import torch
from helpers.host import Comfy
from helpers.sampling import CUTS, FRAMES, GRID, by_node, cut


def foreign(width: int = 768) -> list:
    return [[torch.zeros(1, 77, width), {}]]


@pytest.mark.parametrize("node", ["Guider", "Sampler", "Preflight"])
def test_a_foreign_conditioning_is_named(comfy: Comfy, models: Any, clip: Any, node: str) -> None:
    options = {"latent": clip[1]} if node == "Sampler" else {}
    for conditioning in (foreign(), foreign() + clip[0], []):
        with pytest.raises(ValueError, match="Conditioning"):
            comfy.call(node, model=models[0], conditioning=conditioning, **options)


def test_a_foreign_conditioning_of_the_plain_sampler_is_named(
    comfy: Comfy, models: Any, clip: Any
) -> None:
    import comfy.sample as host

    noise = host.prepare_noise(clip[1]["samples"], 0)
    with pytest.raises(ValueError, match=r"Conditioning \(ACTalker\)"):
        host.sample(
            models[0],
            noise,
            1,
            1.0,
            "euler",
            "karras",
            foreign(),
            foreign(),
            clip[1]["samples"],
        )


def foreign_model() -> Any:
    import comfy.model_patcher

    return comfy.model_patcher.ModelPatcher(torch.nn.Linear(2, 2), "cpu", "cpu")


@pytest.mark.parametrize("node", ["Guider", "Sampler", "Preflight", "Windows"])
def test_a_foreign_model_is_named(comfy: Comfy, clip: Any, node: str) -> None:
    options = {"latent": clip[1]} if node == "Sampler" else {}
    if node != "Windows":
        options["conditioning"] = clip[0]
    with pytest.raises(ValueError, match=r"Load Model \(ACTalker\).*Linear"):
        comfy.call(node, model=foreign_model(), **options)


@pytest.mark.parametrize("frames", [3, FRAMES + 2])
@pytest.mark.parametrize("name", ["one tight window", "cyclic windows"])
def test_a_latent_of_another_length_is_refused(
    comfy: Comfy, models: Any, clip: Any, frames: int, name: str
) -> None:
    latent = {"samples": clip[1]["samples"][:1].repeat(frames, 1, 1, 1)}
    model = cut(comfy, models[0], *CUTS[name])
    with pytest.raises(ValueError, match=rf"{FRAMES}.*{frames}|{frames}.*{FRAMES}"):
        by_node(comfy, model, clip[0], latent)


@pytest.mark.parametrize("shape", [(FRAMES, 4, 2 * GRID, GRID), (FRAMES, 16, GRID, GRID)])
def test_a_latent_of_another_size_is_refused(
    comfy: Comfy, models: Any, clip: Any, shape: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="expected"):
        by_node(comfy, models[0], clip[0], {"samples": torch.ones(shape)})
