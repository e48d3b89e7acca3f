"""The UNet of TGDM: what each of its parts promises."""

import pytest
import torch
from helpers.tgdm import SIDE, TINY, make_geometry, make_noise
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.models.tgdm.config import VARIANTS
from actalker_core.models.tgdm.network import TGDM, Geometry, TextureAttention

quick = settings(max_examples=20, deadline=None)


@quick
@given(st.integers(0, 999), st.sampled_from([1, 2, 4]))
def test_of_a_texture_with_one_token_that_token_arrives(seed: int, heads: int) -> None:
    torch.manual_seed(seed)
    attention = TextureAttention(8, heads)
    texture = make_noise(seed, 2, 8, 1, 1)
    result = attention.attend(make_noise(seed + 1, 2, 8, 3, 5), texture)
    assert torch.allclose(result, texture.expand(2, 8, 3, 5), atol=1e-6)


@quick
@given(st.integers(0, 999))
def test_texture_attention_takes_means_of_the_texture(seed: int) -> None:
    torch.manual_seed(seed)
    attention = TextureAttention(8, 2)
    texture = make_noise(seed, 1, 8, 4, 4)
    result = attention.attend(make_noise(seed + 1, 1, 8, 3, 3), texture).flatten(2)
    assert (result <= texture.flatten(2).amax(2, keepdim=True) + 1e-5).all()
    assert (result >= texture.flatten(2).amin(2, keepdim=True) - 1e-5).all()
    order = torch.randperm(16, generator=torch.Generator().manual_seed(seed))
    permutation = texture.flatten(2)[..., order].view_as(texture)
    again = attention.attend(make_noise(seed + 1, 1, 8, 3, 3), permutation).flatten(2)
    assert torch.allclose(result, again, atol=1e-5), "where a token lies does not matter"


def test_before_training_the_moved_photograph_is_kept() -> None:
    model, geometry = TGDM(TINY), make_geometry(0)
    with torch.no_grad():
        out = model.predict(geometry, model.texture_encoder(geometry.photograph))
    share = torch.sigmoid(torch.tensor(-2.0))
    assert torch.allclose(out, geometry.photograph * (1 - share), atol=1e-6)


@pytest.mark.parametrize(
    "name", ["noisy", "sigma", "face", "photograph", "invented_mask", "coefficients", "texture"]
)
def test_everything_that_is_read_matters(network: TGDM, name: str) -> None:
    def run(**changes: Tensor) -> Tensor:
        rest = make_geometry(0)
        parts = {key: changes.get(key, getattr(rest, key)) for key in rest.__dataclass_fields__}
        source = changes.get("texture", make_noise(9, 1, 3, SIDE, SIDE))
        noisy = changes.get("noisy", make_noise(7, 2, 3, SIDE, SIDE))
        sigma = changes.get("sigma", torch.tensor([0.5, 0.5]))
        with torch.no_grad():
            out: Tensor = network(noisy, sigma, Geometry(**parts), network.texture_encoder(source))
        return out

    shapes = {key: getattr(make_geometry(0), key).shape for key in Geometry.__dataclass_fields__}
    shapes |= {"noisy": (2, 3, SIDE, SIDE), "sigma": (2,), "texture": (1, 3, SIDE, SIDE)}
    change = make_noise(77, *shapes[name]).abs() + 0.5
    assert not torch.allclose(run(), run(**{name: change}), atol=1e-4)


def test_a_batch_is_its_frames(network: TGDM) -> None:
    geometry, source = make_geometry(3, 3), make_noise(4, 1, 3, SIDE, SIDE)
    with torch.no_grad():
        textures = network.texture_encoder(source)
        batch = network.predict(geometry, textures)
        for i in range(3):
            part = Geometry(
                *(getattr(geometry, k)[i : i + 1] for k in Geometry.__dataclass_fields__)
            )
            assert torch.allclose(network.predict(part, textures), batch[i : i + 1], atol=1e-5)


def test_without_textures_no_attention_runs(network: TGDM) -> None:
    geometry = make_geometry(5)
    with torch.no_grad():
        bare = network.predict(geometry, {})
        gains = {name: p.clone() for name, p in network.named_parameters() if name.endswith("gain")}
        for name, p in network.named_parameters():
            if name in gains:
                p.zero_()
        quiet = network.predict(geometry, network.texture_encoder(make_noise(1, 1, 3, SIDE, SIDE)))
        for name, p in network.named_parameters():
            if name in gains:
                p.copy_(gains[name])
    assert gains
    assert torch.allclose(bare, quiet, atol=1e-6)


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_variants_have_grids_of_whole_squares(name: str) -> None:
    config = VARIANTS[name]
    assert config.side_px % (config.patch_px * 2 ** (config.levels - 1)) == 0
    assert all(config.channels[level] % config.heads == 0 for level in config.texture_levels)


def test_the_shipped_variant_is_small() -> None:
    with torch.device("meta"):
        count = sum(p.numel() for p in TGDM(VARIANTS["built-in"]).parameters())
    assert 2 * count < 20e6, "bytes in half precision"
