"""The parallel-control layer keeps each signal in its region."""

import pytest
import torch
from torch import Tensor

from actalker_core.control.regions import box_mask
from actalker_core.models.actalker.networks import FLOAT32_LEAVES
from actalker_core.models.actalker.token_regions import TokenRegion, find_tokens
from actalker_core.models.actalker.unet import mamba
from actalker_core.models.actalker.unet.attention import RegionCondition
from actalker_core.models.actalker.unet.mamba import ParallelControlMamba, use_scan_backend

GRID, SIZE, CHANNELS, CONTEXT, ROWS = (6, 5), (48, 40), 16, 12, 3
TOKENS = GRID[0] * GRID[1]


@pytest.fixture
def layer() -> ParallelControlMamba:
    torch.manual_seed(0)
    return ParallelControlMamba(CHANNELS, CONTEXT, 4, 2, 2).eval().requires_grad_(False)


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


X = draw(1, ROWS, TOKENS, CHANNELS)
IDENTITY = draw(2, ROWS, 1, CONTEXT)
AUDIO = draw(3, ROWS, 4, CONTEXT)
EXPRESSION = draw(4, ROWS, 1, CONTEXT)


def box(x0: int, y0: int, x1: int, y1: int) -> Tensor:
    return box_mask((x0, y0, x1, y1), *SIZE)


MOUTH = box(8, 24, 32, 40)
REST = 1 - MOUTH
EVERYWHERE, NOWHERE = torch.ones_like(MOUTH), torch.zeros_like(MOUTH)


def region(mask: Tensor) -> TokenRegion:
    return find_tokens(mask, GRID)


def run(
    layer: ParallelControlMamba,
    audio: Tensor | None,
    expression: Tensor | None,
    masks: tuple[Tensor, Tensor],
    x: Tensor = X,
    identity: Tensor = IDENTITY,
) -> Tensor:
    signals = (
        RegionCondition(audio, region(masks[0])),
        RegionCondition(expression, region(masks[1])),
    )
    return layer(x, identity, *signals)


def find_inside(mask: Tensor) -> Tensor:
    inside = torch.zeros(TOKENS, dtype=torch.bool)
    r = region(mask)
    inside[slice(None) if r.token_idx is None else r.token_idx[0]] = True
    return inside


@pytest.mark.parametrize("masks", [(MOUTH, REST), (MOUTH, EVERYWHERE), (MOUTH, NOWHERE)])
def test_audio_changes_its_region_and_nothing_else(layer, masks) -> None:
    before = run(layer, AUDIO, EXPRESSION, masks)
    after = run(layer, AUDIO + 1, EXPRESSION, masks)
    change = (before - after).abs().amax(dim=(0, 2))
    region_tokens = find_inside(masks[0])
    assert change[region_tokens].min() > 1e-4
    assert change[~region_tokens].max() == 0


@pytest.mark.parametrize("masks", [(MOUTH, REST), (EVERYWHERE, MOUTH), (NOWHERE, MOUTH)])
def test_expression_changes_its_region_and_nothing_else(layer, masks) -> None:
    before = run(layer, AUDIO, EXPRESSION, masks)
    after = run(layer, AUDIO, EXPRESSION + 1, masks)
    change = (before - after).abs().amax(dim=(0, 2))
    region_tokens = find_inside(masks[1])
    assert change[region_tokens].min() > 1e-4
    assert change[~region_tokens].max() == 0


@pytest.mark.parametrize("masks", [(MOUTH, REST), (EVERYWHERE, EVERYWHERE), (MOUTH, NOWHERE)])
def test_zero_tokens_are_no_tokens(layer, masks) -> None:
    closed = run(layer, AUDIO * 0, EXPRESSION, masks)
    assert torch.allclose(closed, run(layer, None, EXPRESSION, masks), atol=1e-6)
    closed = run(layer, AUDIO, EXPRESSION * 0, masks)
    assert torch.allclose(closed, run(layer, AUDIO, None, masks), atol=1e-6)


def test_a_full_mask_is_no_mask(layer) -> None:
    everywhere = layer(X, IDENTITY, RegionCondition(AUDIO, None), RegionCondition(EXPRESSION, None))
    assert torch.equal(run(layer, AUDIO, EXPRESSION, (EVERYWHERE, EVERYWHERE)), everywhere)


def test_masks_per_frame_are_separate_calls(layer) -> None:
    audio_masks = torch.cat([MOUTH, box(0, 0, 8, 8), NOWHERE])
    expression_masks = torch.cat([EVERYWHERE, REST, MOUTH])
    joint = run(layer, AUDIO, EXPRESSION, (audio_masks, expression_masks))
    for i in range(ROWS):
        row = slice(i, i + 1)
        alone = run(
            layer,
            AUDIO[row],
            EXPRESSION[row],
            (audio_masks[row], expression_masks[row]),
            X[row],
            IDENTITY[row],
        )
        assert torch.allclose(joint[row], alone, atol=1e-6)


def test_equal_masks_per_frame_are_one_mask(layer) -> None:
    copies = (MOUTH.expand(ROWS, -1, -1, -1), REST.expand(ROWS, -1, -1, -1))
    want = run(layer, AUDIO, EXPRESSION, (MOUTH, REST))
    assert torch.equal(run(layer, AUDIO, EXPRESSION, copies), want)


def test_masks_per_frame_serve_every_video_of_a_batch(layer) -> None:
    masks = (torch.cat([MOUTH, REST, NOWHERE]), torch.cat([REST, MOUTH, EVERYWHERE]))
    once = run(layer, AUDIO, EXPRESSION, masks)
    twins = [torch.cat([t, t]) for t in (AUDIO, EXPRESSION, X, IDENTITY)]
    twice = run(layer, twins[0], twins[1], masks, *twins[2:])
    assert torch.allclose(twice, torch.cat([once, once]), atol=1e-6)


@pytest.mark.parametrize("masks", [(EVERYWHERE, EVERYWHERE), (MOUTH, REST), (EVERYWHERE, NOWHERE)])
def test_signals_that_take_turns_compute_the_same(layer, masks, monkeypatch) -> None:
    joint = run(layer, AUDIO, EXPRESSION, masks)
    monkeypatch.setattr(mamba, "MAX_SCAN_TOKENS", 0)
    assert torch.equal(run(layer, AUDIO, EXPRESSION, masks), joint)


def test_backends_agree_on_the_layer(layer) -> None:
    masks = (torch.cat([MOUTH, REST, NOWHERE]), REST)
    output = run(layer, AUDIO, EXPRESSION, masks)
    use_scan_backend(layer, "reference")
    assert torch.allclose(run(layer, AUDIO, EXPRESSION, masks), output, atol=1e-6)


def test_half_precision_keeps_the_scan_in_float32(layer) -> None:
    want = run(layer, AUDIO, EXPRESSION, (MOUTH, REST))
    for name, parameter in layer.named_parameters():
        if name.rsplit(".", 1)[-1] not in FLOAT32_LEAVES:
            parameter.data = parameter.data.bfloat16()
    x, identity, audio, expression = (t.bfloat16() for t in (X, IDENTITY, AUDIO, EXPRESSION))
    got = run(layer, audio, expression, (MOUTH, REST), x, identity)
    assert got.dtype == torch.bfloat16
    assert (got.float() - want).abs().max() < 0.05 * want.abs().max()


def test_training_reaches_every_weight(layer) -> None:
    layer.requires_grad_(True)
    run(layer, AUDIO, EXPRESSION, (MOUTH, REST)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())


# What the paper's ablations change ---------------------------------------------------------------


def ablated_layer(**changes: bool) -> ParallelControlMamba:
    """The layer of `layer`, with the same weights."""
    torch.manual_seed(0)
    layer = ParallelControlMamba(CHANNELS, CONTEXT, 4, 2, 2, **changes)
    return layer.eval().requires_grad_(False)


def test_without_mask_drop_every_token_is_scanned(layer: ParallelControlMamba) -> None:
    free = ablated_layer(mask_drop=False)
    everywhere = run(layer, AUDIO, EXPRESSION, (EVERYWHERE, EVERYWHERE))
    assert torch.equal(run(free, AUDIO, EXPRESSION, (MOUTH, REST)), everywhere)
    assert not torch.equal(run(layer, AUDIO, EXPRESSION, (MOUTH, REST)), everywhere)


@pytest.mark.parametrize("masks", [(EVERYWHERE, EVERYWHERE), (MOUTH, REST)])
def test_across_frames_a_frame_hears_the_others(masks: tuple[Tensor, Tensor]) -> None:
    across_layer = ablated_layer(across_frames=True)
    signals = [
        RegionCondition(t, region(m)) for t, m in zip((AUDIO, EXPRESSION), masks, strict=True)
    ]
    audio = AUDIO.clone()
    audio[2] += 1
    louder = [RegionCondition(audio, signals[0].region), signals[1]]
    for layer_, hears in ((across_layer, True), (ablated_layer(), False)):
        before, after = (layer_(X, IDENTITY, *s, frames=ROWS) for s in (signals, louder))
        assert torch.equal(before[0], after[0]) != hears
        assert not torch.equal(before[2], after[2])


def test_across_frames_one_frame_is_as_ever(layer: ParallelControlMamba) -> None:
    signals = (RegionCondition(AUDIO, region(MOUTH)), RegionCondition(EXPRESSION, region(REST)))
    alone = ablated_layer(across_frames=True)(X, IDENTITY, *signals, frames=1)
    assert torch.equal(alone, layer(X, IDENTITY, *signals))
