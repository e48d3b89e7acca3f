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
WHOLE, NOTHING = torch.ones_like(MOUTH), torch.zeros_like(MOUTH)


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


def inside(mask: Tensor) -> Tensor:
    inside = torch.zeros(TOKENS, dtype=torch.bool)
    r = region(mask)
    inside[slice(None) if r.token_idx is None else r.token_idx[0]] = True
    return inside


@pytest.mark.parametrize("masks", [(MOUTH, REST), (MOUTH, WHOLE), (MOUTH, NOTHING)])
def test_audio_changes_its_region_and_nothing_else(layer, masks) -> None:
    before = run(layer, AUDIO, EXPRESSION, masks)
    after = run(layer, AUDIO + 1, EXPRESSION, masks)
    changed = (before - after).abs().amax(dim=(0, 2))
    own = inside(masks[0])
    assert changed[own].min() > 1e-4
    assert changed[~own].max() == 0


@pytest.mark.parametrize("masks", [(MOUTH, REST), (WHOLE, MOUTH), (NOTHING, MOUTH)])
def test_expression_changes_its_region_and_nothing_else(layer, masks) -> None:
    before = run(layer, AUDIO, EXPRESSION, masks)
    after = run(layer, AUDIO, EXPRESSION + 1, masks)
    changed = (before - after).abs().amax(dim=(0, 2))
    own = inside(masks[1])
    assert changed[own].min() > 1e-4
    assert changed[~own].max() == 0


@pytest.mark.parametrize("masks", [(MOUTH, REST), (WHOLE, WHOLE), (MOUTH, NOTHING)])
def test_a_closed_gate_is_an_absent_branch(layer, masks) -> None:
    closed = run(layer, AUDIO * 0, EXPRESSION, masks)
    assert torch.allclose(closed, run(layer, None, EXPRESSION, masks), atol=1e-6)
    closed = run(layer, AUDIO, EXPRESSION * 0, masks)
    assert torch.allclose(closed, run(layer, AUDIO, None, masks), atol=1e-6)


def test_a_full_mask_is_no_mask(layer) -> None:
    everywhere = layer(X, IDENTITY, RegionCondition(AUDIO, None), RegionCondition(EXPRESSION, None))
    assert torch.equal(run(layer, AUDIO, EXPRESSION, (WHOLE, WHOLE)), everywhere)


def test_masks_per_frame_are_separate_calls(layer) -> None:
    audio_masks = torch.cat([MOUTH, box(0, 0, 8, 8), NOTHING])
    expression_masks = torch.cat([WHOLE, REST, MOUTH])
    together = run(layer, AUDIO, EXPRESSION, (audio_masks, expression_masks))
    for i in range(ROWS):
        one = slice(i, i + 1)
        alone = run(
            layer,
            AUDIO[one],
            EXPRESSION[one],
            (audio_masks[one], expression_masks[one]),
            X[one],
            IDENTITY[one],
        )
        assert torch.allclose(together[one], alone, atol=1e-6)


def test_equal_masks_per_frame_are_one_mask(layer) -> None:
    repeated = (MOUTH.expand(ROWS, -1, -1, -1), REST.expand(ROWS, -1, -1, -1))
    want = run(layer, AUDIO, EXPRESSION, (MOUTH, REST))
    assert torch.equal(run(layer, AUDIO, EXPRESSION, repeated), want)


def test_masks_per_frame_serve_every_video_of_a_batch(layer) -> None:
    masks = (torch.cat([MOUTH, REST, NOTHING]), torch.cat([REST, MOUTH, WHOLE]))
    once = run(layer, AUDIO, EXPRESSION, masks)
    doubled = [torch.cat([t, t]) for t in (AUDIO, EXPRESSION, X, IDENTITY)]
    twice = run(layer, doubled[0], doubled[1], masks, *doubled[2:])
    assert torch.allclose(twice, torch.cat([once, once]), atol=1e-6)


@pytest.mark.parametrize("masks", [(WHOLE, WHOLE), (MOUTH, REST), (WHOLE, NOTHING)])
def test_branches_that_take_turns_compute_the_same(layer, masks, monkeypatch) -> None:
    together = run(layer, AUDIO, EXPRESSION, masks)
    monkeypatch.setattr(mamba, "MAX_SCAN_TOKENS", 0)
    assert torch.equal(run(layer, AUDIO, EXPRESSION, masks), together)


def test_backends_agree_on_the_layer(layer) -> None:
    masks = (torch.cat([MOUTH, REST, NOTHING]), REST)
    chunked = run(layer, AUDIO, EXPRESSION, masks)
    use_scan_backend(layer, "reference")
    assert torch.allclose(run(layer, AUDIO, EXPRESSION, masks), chunked, atol=1e-6)


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


def other_layer(**changes: bool) -> ParallelControlMamba:
    """The layer of `layer`, with the same weights."""
    torch.manual_seed(0)
    changed = ParallelControlMamba(CHANNELS, CONTEXT, 4, 2, 2, **changes)
    return changed.eval().requires_grad_(False)


def test_without_mask_drop_every_token_is_scanned(layer: ParallelControlMamba) -> None:
    free = other_layer(mask_drop=False)
    everywhere = run(layer, AUDIO, EXPRESSION, (WHOLE, WHOLE))
    assert torch.equal(run(free, AUDIO, EXPRESSION, (MOUTH, REST)), everywhere)
    assert not torch.equal(run(layer, AUDIO, EXPRESSION, (MOUTH, REST)), everywhere)


@pytest.mark.parametrize("masks", [(WHOLE, WHOLE), (MOUTH, REST)])
def test_across_frames_a_frame_hears_the_others(masks: tuple[Tensor, Tensor]) -> None:
    joined = other_layer(across_frames=True)
    signals = [
        RegionCondition(t, region(m)) for t, m in zip((AUDIO, EXPRESSION), masks, strict=True)
    ]
    changed = AUDIO.clone()
    changed[2] += 1
    louder = [RegionCondition(changed, signals[0].region), signals[1]]
    for layer_, hears in ((joined, True), (other_layer(), False)):
        before, after = (layer_(X, IDENTITY, *s, frames=ROWS) for s in (signals, louder))
        assert torch.equal(before[0], after[0]) != hears
        assert not torch.equal(before[2], after[2])


def test_across_frames_one_frame_is_as_ever(layer: ParallelControlMamba) -> None:
    signals = (RegionCondition(AUDIO, region(MOUTH)), RegionCondition(EXPRESSION, region(REST)))
    alone = other_layer(across_frames=True)(X, IDENTITY, *signals, frames=1)
    assert torch.equal(alone, layer(X, IDENTITY, *signals))
