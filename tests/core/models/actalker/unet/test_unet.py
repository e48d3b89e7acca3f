"""The UNet: diffusers' where nothing controls it, and exact shortcuts where something does."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from benchmarks.plain import plain_unet
from helpers.formula import fill_weights
from helpers.tiny import TINY
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter

from actalker_core.control.regions import box_mask
from actalker_core.models.actalker.token_regions import Regions, find_tokens
from actalker_core.models.actalker.unet.attention import ControlledAttention, RegionCondition
from actalker_core.models.actalker.unet.blocks import Upsample
from actalker_core.models.actalker.unet.control import Control
from actalker_core.models.actalker.unet.unet import UNet
from actalker_core.ops.attention import scaled_dot_product_attention
from actalker_core.ops.norms import GroupNorm, LayerNorm

CONFIG = TINY.unet
BATCH, FRAMES, HEIGHT, WIDTH = 2, 3, 16, 8
IMAGE_SIZE = (8 * HEIGHT, 8 * WIDTH)
TIME_IDS = torch.tensor([[12.5, 12.0, 20.0], [25.0, 3.0, 4.0]])


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


SAMPLE = draw(0, BATCH, FRAMES, 8, HEIGHT, WIDTH)
IDENTITY, AUDIO, EXPRESSION = (
    draw(1 + i, BATCH * FRAMES, count, CONFIG.cross_attention_dim)
    for i, count in enumerate((1, 8, 1))
)
TIMESTEP = torch.tensor([0.7, -1.3])


@pytest.fixture(scope="module")
def unet() -> UNet:
    return fill_weights(UNet(CONFIG), 7)


def masks() -> tuple[Tensor, Tensor]:
    mouth = box_mask((16, 64, 48, 112), *IMAGE_SIZE)
    return mouth, 1 - mouth


def control(**changes: object) -> Control:
    regions = Regions.from_masks(*masks(), (HEIGHT, WIDTH), CONFIG.levels)
    return replace(Control(FRAMES, IDENTITY, AUDIO, EXPRESSION, regions), **changes)


def close(got: Tensor, want: Tensor, tolerance: float = 1e-5) -> bool:
    return bool((got - want).abs().max() <= tolerance * want.abs().max())


def test_without_control_it_is_diffusers_unet() -> None:
    config = replace(CONFIG, signal_scales=(), has_mamba=False, layers_per_block=2)
    ours = fill_weights(UNet(config), 3)
    theirs = plain_unet(config).eval()
    theirs.load_state_dict(ours.state_dict(), strict=True)
    identity = draw(9, BATCH, 1, config.cross_attention_dim)
    with torch.no_grad():
        want = theirs(SAMPLE, TIMESTEP[0], identity, TIME_IDS).sample
        per_frame = Control(FRAMES, identity.repeat_interleave(FRAMES, 0))
        got = ours(SAMPLE, TIMESTEP[:1].expand(BATCH), TIME_IDS, per_frame)
    assert close(got, want)


def test_signals_without_tokens_are_zero_tokens(unet: UNet) -> None:
    silent = unet(SAMPLE, TIMESTEP, TIME_IDS, control(audio=None, expression=None))
    zeros = control(audio=0 * AUDIO, expression=0 * EXPRESSION)
    assert close(silent, unet(SAMPLE, TIMESTEP, TIME_IDS, zeros))


def test_a_batch_is_separate_videos(unet: UNet) -> None:
    joint = unet(SAMPLE, TIMESTEP, TIME_IDS, control())
    for i in range(BATCH):
        rows, video = slice(i * FRAMES, (i + 1) * FRAMES), slice(i, i + 1)
        alone = control(identity=IDENTITY[rows], audio=AUDIO[rows], expression=EXPRESSION[rows])
        got = unet(SAMPLE[video], TIMESTEP[video], TIME_IDS[video], alone)
        assert close(got, joint[video])


def test_equal_masks_per_frame_are_one_mask(unet: UNet) -> None:
    copies = [m.expand(FRAMES, -1, -1, -1) for m in masks()]
    regions = Regions.from_masks(*copies, (HEIGHT, WIDTH), CONFIG.levels)
    want = unet(SAMPLE, TIMESTEP, TIME_IDS, control())
    assert close(unet(SAMPLE, TIMESTEP, TIME_IDS, control(regions=regions)), want)


def test_signals_and_pose_matter(unet: UNet) -> None:
    base = unet(SAMPLE, TIMESTEP, TIME_IDS, control())
    pose = draw(8, 1, 1, CONFIG.block_out_channels[0], HEIGHT, WIDTH)
    outputs = [
        unet(SAMPLE, TIMESTEP, TIME_IDS, control(audio=AUDIO + 1)),
        unet(SAMPLE, TIMESTEP, TIME_IDS, control(expression=EXPRESSION + 1)),
        unet(SAMPLE, TIMESTEP, TIME_IDS, control(regions=None)),
        unet(SAMPLE, TIMESTEP, TIME_IDS, control(), pose),
        unet(SAMPLE, TIMESTEP, TIME_IDS + 1, control()),
    ]
    assert all(not close(output, base, 1e-3) for output in outputs)


def test_videos_that_begin_as_one_are_as_if_apart(unet: UNet) -> None:
    """Three passes of two portraits."""
    batch_idx = torch.tensor([1, 0, 1])
    identity, audio, expression = (
        draw(11 + i, 3 * FRAMES, count, CONFIG.cross_attention_dim)
        for i, count in enumerate((1, 8, 1))
    )
    condition = control(identity=identity, audio=audio, expression=expression)
    noise, ids = TIMESTEP[:1].expand(3), TIME_IDS[:1].expand(3, -1)
    pose = draw(8, 1, 1, CONFIG.block_out_channels[0], HEIGHT, WIDTH)
    separate = unet(SAMPLE[batch_idx], noise, ids, condition, pose)
    assert close(unet(SAMPLE, noise, ids, replace(condition, batch_idx=batch_idx), pose), separate)


@pytest.mark.parametrize("size", [(4, 6), (1, 1), (5, 3)])
def test_doubling_and_convolution_in_one(size: tuple[int, int]) -> None:
    layer = fill_weights(Upsample(3, nn), 5)
    x = draw(3, 2, 3, *size)
    want = layer.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))
    assert close(layer(x), want)


@pytest.mark.parametrize("kind", ["box", "soft", "frames", "nothing", "everything"])
@pytest.mark.parametrize("tokens", [1, 5])
def test_a_signal_is_read_where_its_mask_reaches(kind: str, tokens: int) -> None:
    grid = (6, 5)
    box = box_mask((8, 16, 24, 40), 48, 40)
    masks = {
        "box": box,
        "soft": 0.3 * box,
        "frames": torch.cat([box, 0 * box, 1 - box]),
        "nothing": 0 * box,
        "everything": torch.ones_like(box),
    }
    attention_layer = fill_weights(ControlledAttention(16, 12, 2, (1.25, 1.25)), 4)
    region = find_tokens(masks[kind], grid)
    x, identity = draw(0, 3, 30, 16), draw(1, 3, 1, 12)
    signal = draw(2, 3, tokens, 12)
    output = attention_layer(
        x, identity, (RegionCondition(None, None), RegionCondition(signal, region))
    )
    everywhere = attention_layer(
        x, identity, (RegionCondition(None, None), RegionCondition(signal, None))
    )
    nowhere = attention_layer(x, identity)
    weight = region.weight.expand(3, -1, -1)
    assert close(output.expand_as(x), torch.lerp(nowhere.expand_as(x), everywhere, weight), 1e-4)


class NegatedOps:
    """Ops whose layers keep their weights negated until they are used."""

    class Linear(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return F.linear(x, *NegatedOps.weights_of(self, x))

    class Conv2d(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            return self._conv_forward(x, *NegatedOps.weights_of(self, x))

    class Conv3d(nn.Conv3d):
        def forward(self, x: Tensor) -> Tensor:
            return self._conv_forward(x, *NegatedOps.weights_of(self, x))

    class GroupNorm(GroupNorm):
        def weights_for(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return NegatedOps.weights_of(self, x)

    class LayerNorm(LayerNorm):
        def weights_for(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return NegatedOps.weights_of(self, x)

    @staticmethod
    def weights_of(layer: nn.Module, like: Tensor) -> tuple[Tensor, Tensor | None]:
        bias = layer.bias
        return -layer.weight.to(like), None if bias is None else -bias.to(like)


def test_weights_are_read_as_ops_say(unet: UNet) -> None:
    ours = UNet(CONFIG, NegatedOps)
    ours.load_state_dict(unet.state_dict())
    for layer in ours.modules():
        if hasattr(layer, "weight"):
            for weight in layer.parameters():
                weight.data.neg_()
    with torch.no_grad():
        got = ours(SAMPLE, TIMESTEP, TIME_IDS, control())
        want = unet(SAMPLE, TIMESTEP, TIME_IDS, control())
    assert close(got, want)


class CountedOps:
    """A namespace of layers that can be told apart from torch's, with its own attention."""

    calls = 0

    class Linear(nn.Linear):
        pass

    class Conv2d(nn.Conv2d):
        pass

    class Conv3d(nn.Conv3d):
        pass

    class GroupNorm(nn.GroupNorm):
        pass

    class LayerNorm(nn.LayerNorm):
        pass

    @staticmethod
    def attend(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
        CountedOps.calls += 1
        return scaled_dot_product_attention(q, k, v, heads)


def test_every_layer_and_attention_comes_from_ops(unet: UNet) -> None:
    ours = UNet(CONFIG, CountedOps)
    ours.load_state_dict(unet.state_dict())
    leaves = [m for m in ours.modules() if not list(m.children()) and list(m.parameters())]
    plain = {type(m).__name__ for m in leaves if not type(m).__qualname__.startswith("CountedOps")}
    assert plain == {"AlphaBlender", "TemporalShare", "SelectiveScanUnit"}
    with torch.no_grad():
        got = ours(SAMPLE, TIMESTEP, TIME_IDS, control())
        want = unet(SAMPLE, TIMESTEP, TIME_IDS, control())
    assert close(got, want)
    assert CountedOps.calls > 0


def test_half_precision_runs(unet: UNet) -> None:
    from actalker_core.models.actalker.networks import choose_weight_dtype

    half = UNet(CONFIG)
    half.load_state_dict(unet.state_dict())
    for name, parameter in half.named_parameters():
        parameter.data = parameter.data.to(
            choose_weight_dtype(f"unet.{name}", torch.bfloat16, parameter.ndim)
        )
    c = control()
    c = replace(
        c,
        identity=c.identity.bfloat16(),
        audio=c.audio.bfloat16(),
        expression=c.expression.bfloat16(),
    )
    with torch.no_grad():
        got = half(SAMPLE.bfloat16(), TIMESTEP, TIME_IDS, c)
        want = unet(SAMPLE, TIMESTEP, TIME_IDS, control())
    assert got.dtype == torch.bfloat16
    assert close(got.float(), want, 0.1)


def test_a_forward_is_one_graph_for_each_size() -> None:
    """Nothing in it waits for a value: torch.compile and CUDA graphs see it whole.

    With sizes that may change, tracing it a second time would not end.
    """
    two_levels = replace(CONFIG, block_out_channels=(32, 64), num_attention_heads=(1, 2))
    unet, graphs, sizes = fill_weights(UNet(two_levels), 7), CompileCounter(), (1, 2, 3)
    regions = Regions.from_masks(*masks(), (HEIGHT, WIDTH), two_levels.levels)

    def forward(frames: int) -> Tensor:
        rows = (of[: BATCH * frames] for of in (IDENTITY, AUDIO, EXPRESSION))
        return unet(SAMPLE[:, :frames], TIMESTEP, TIME_IDS, Control(frames, *rows, regions))

    torch.compiler.reset()
    with torch.no_grad():
        want = [forward(frames) for frames in sizes]
        unet.compile(backend=graphs, fullgraph=True)
        got = [forward(frames) for frames in (*sizes, *sizes)]
    assert graphs.frame_count == len(sizes)
    assert all(close(y, z) for y, z in zip(got, want + want, strict=True))
