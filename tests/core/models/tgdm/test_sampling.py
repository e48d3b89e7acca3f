"""From the moved photograph to the finished image: passes, seeds, steps."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from helpers.tgdm import SIDE, make_geometry, make_noise
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.errors import InputError
from actalker_core.models.tgdm.network import TGDM, Geometry
from actalker_core.models.tgdm.pipeline import draw_noise
from actalker_core.models.tgdm.sampling import Pass, Sampling, finish_images, leave_out

NOISE = draw_noise(0, SIDE)
scales = st.sampled_from([0.0, 0.5, 1.0, 1.7, 3.0])


def run(network: TGDM, sampling: Sampling, geometry: Geometry | None = None) -> Tensor:
    textures = network.texture_encoder(make_noise(9, 1, 3, SIDE, SIDE))
    return finish_images(network, geometry or make_geometry(0), textures, sampling, NOISE)


@given(scales, scales)
def test_weights_of_passes_add_up_to_one_and_none_is_zero(texture: float, geometry: float) -> None:
    plan = Sampling(texture_scale=texture, geometry_scale=geometry).passes
    assert sum(plan.values()) == pytest.approx(1)
    assert all(plan.values())
    assert (Pass.WITHOUT_TEXTURE in plan) == (texture != 1)
    assert (Pass.WITHOUT_GEOMETRY in plan) == (geometry != 1)


@pytest.mark.parametrize(
    ("sampling", "calls"),
    [
        (Sampling(), 1),
        (Sampling(3), 4),
        (Sampling(3, texture_scale=2.0), 8),
        (Sampling(2, texture_scale=2.0, geometry_scale=2.0), 9),
        (Sampling(texture_scale=0.0), 1),
    ],
)
def test_only_passes_with_a_weight_run(
    network: TGDM, sampling: Sampling, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()
    forward = network.forward

    def count(*arguments: Tensor) -> Tensor:
        counts["calls"] += 1
        return forward(*arguments)

    monkeypatch.setattr(network, "forward", count)
    run(network, sampling)
    assert counts["calls"] == calls


def test_without_steps_the_regression_is_the_answer(network: TGDM) -> None:
    geometry = make_geometry(0)
    textures = network.texture_encoder(make_noise(9, 1, 3, SIDE, SIDE))
    expected = network.predict(geometry, textures).clamp(-1, 1)
    assert torch.equal(run(network, Sampling(), geometry), expected)


def test_a_scale_of_zero_is_the_network_without_the_condition(network: TGDM) -> None:
    geometry = make_geometry(0)
    bare = run(network, Sampling(geometry_scale=0.0), geometry)
    textures = network.texture_encoder(make_noise(9, 1, 3, SIDE, SIDE))
    expected = network.predict(leave_out(geometry), textures)
    assert torch.allclose(bare, expected.clamp(-1, 1), atol=1e-6)


def test_guidance_is_linear_in_its_scale(network: TGDM) -> None:
    class Wide(TGDM):
        """Its answers are small, so that no clamp is in the way."""

        def forward(self, *arguments: Tensor) -> Tensor:
            return 0.01 * super().forward(*arguments)

    model = Wide(network.config)
    model.load_state_dict(network.state_dict())
    answers = [run(model.eval(), Sampling(texture_scale=s)).detach() for s in (1.0, 2.0, 3.0)]
    assert torch.allclose(answers[2] - answers[1], answers[1] - answers[0], atol=1e-6)
    assert not torch.allclose(answers[1], answers[0], atol=1e-5)


def test_what_is_left_out_does_not_matter() -> None:
    first = make_geometry(0)
    second = replace(first, face=make_noise(50, *first.face.shape))
    second = replace(second, coefficients=make_noise(51, *first.coefficients.shape))
    assert torch.equal(leave_out(first).face, leave_out(second).face)
    assert torch.equal(leave_out(first).coefficients, leave_out(second).coefficients)
    assert torch.equal(leave_out(first, 1.0).coefficients, first.coefficients)
    keep = torch.tensor([1.0, 0.0])[:, None, None, None]
    mixture = leave_out(first, keep)
    assert torch.allclose(mixture.face[0], first.face[0], atol=1e-6)
    assert (mixture.face[1] == -1).all()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_a_seed_is_its_noise(seed: int) -> None:
    assert torch.equal(draw_noise(seed, 4), draw_noise(seed, 4))
    assert not torch.equal(draw_noise(seed, 4), draw_noise(seed + 1, 4))


def test_the_noise_decides_what_diffusion_makes_and_the_regression_does_not(
    network: TGDM,
) -> None:
    textures = network.texture_encoder(make_noise(9, 1, 3, SIDE, SIDE))
    geometry = make_geometry(0)
    for steps, is_equal in ((0, True), (2, False)):
        first, second = (
            finish_images(network, geometry, textures, Sampling(steps), draw_noise(seed, SIDE))
            for seed in (0, 1)
        )
        assert torch.equal(first, second) == is_equal


@pytest.mark.parametrize("steps", [0, 2])
def test_a_batch_is_its_images(network: TGDM, steps: int) -> None:
    batch = run(network, Sampling(steps), make_geometry(0, 3))
    names = Geometry.__dataclass_fields__
    for i in range(3):
        part = Geometry(*(getattr(make_geometry(0, 3), name)[i : i + 1] for name in names))
        assert torch.allclose(run(network, Sampling(steps), part), batch[i : i + 1], atol=1e-5)


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("noise", [0.03, 0.3, 2.0])
def test_noise_levels_fall_from_that_of_the_start_to_none(steps: int, noise: float) -> None:
    sigmas = Sampling(steps, noise).sigmas
    assert len(sigmas) == steps + 1
    assert sigmas[0] == pytest.approx(noise)
    assert sigmas[-1] == 0
    assert all(a >= b for a, b in pairwise(sigmas))


@pytest.mark.parametrize(
    "values", [{"steps": -1}, {"noise": 0.0}, {"texture_scale": 31.0}, {"geometry_scale": -1.0}]
)
def test_numbers_outside_their_limits_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(InputError):
        Sampling(**values)  # type: ignore[arg-type]
