"""Steps between matrix products: Triton's are torch's, and are taken where they can run."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from helpers.compiled_kernels import ARCHITECTURES, compile_kernel, spilled_bytes
from helpers.interpreter import check_interpreted, needs_triton, on_a_gpu
from torch import Tensor, nn

from actalker_core.ops import fused as kernels
from actalker_core.ops import jit
from actalker_core.ops.norms import GroupNorm, LayerNorm, norm_silu


@needs_triton
def test_the_kernels_under_the_interpreter() -> None:
    check_interpreted("interpreted_kernels.py")


KINDS = dict.fromkeys(("x", "y", "out", "weight", "bias", "shift"), "*bf16")
KINDS |= {"moments": "*fp32", "factors": "*fp32", "eps": "fp32"}
TILE = {"PIXELS": 64, "CHANNELS": 64}


@needs_triton
@pytest.mark.parametrize(
    ("name", "constants"),
    [
        ("_moments", TILE),
        ("_factors", {"HAS_SHIFT": True, "PARTS": 128, "SIZE": 16}),
        ("_factors", {"HAS_SHIFT": True, "PARTS": 16, "SIZE": 128}),
        ("_affine", TILE | {"SILU": True}),
        ("_add_with_bias", TILE | {"HAS_BIAS": True}),
        ("_layer_norm", {"ROWS": 4, "WIDTH": 512}),
        ("_layer_norm", {"ROWS": 1, "WIDTH": 4096}),
        ("_geglu", {"ROWS": 8, "NUMBERS": 256}),
    ],
)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nothing_is_spilled(architecture: int, name: str, constants: dict, folder: Path) -> None:
    from actalker_core.ops.fused import triton

    machine_code = compile_kernel(
        getattr(triton, name), architecture, KINDS, constants, **triton.OPTIONS
    )
    assert not spilled_bytes(machine_code, folder)


# In plain torch ----------------------------------------------------------------------------------


def norm(channels: int) -> GroupNorm:
    layer = GroupNorm(2, channels)
    nn.init.normal_(layer.weight)
    nn.init.normal_(layer.bias)
    return layer


@pytest.mark.parametrize("with_silu", [False, True])
@pytest.mark.parametrize("shape", [(2, 6, 3, 4), (2, 6, 2, 3, 4)])
def test_a_shift_is_added_before_the_norm(shape: tuple[int, ...], with_silu: bool) -> None:
    layer, x, shift = norm(6), torch.randn(shape), torch.randn(2, 6)
    want = nn.GroupNorm.forward(layer, x + shift.view(2, 6, *[1] * (x.ndim - 2)))
    want = want.sigmoid() * want if with_silu else want
    got = layer(x, shift, with_silu=with_silu)
    assert torch.allclose(got, want, atol=1e-6)


class Doubling(nn.GroupNorm):
    """A norm with a forward of its own."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


def test_a_norm_of_another_class_is_called() -> None:
    x, shift = torch.randn(2, 6, 3), torch.randn(2, 6)
    want = F.silu(2 * F.group_norm(x + shift[..., None], 2))
    assert torch.allclose(norm_silu(Doubling(2, 6), x, shift), want, atol=1e-6)


def test_a_hook_sees_what_the_norm_alone_puts_out() -> None:
    layer, x, outputs = norm(6), torch.randn(2, 6, 3), []
    want = norm_silu(layer, x)
    layer.register_forward_hook(lambda _, __, out: outputs.append(out))
    assert torch.allclose(norm_silu(layer, x), want, atol=1e-6)
    assert torch.allclose(outputs[0], nn.GroupNorm.forward(layer, x), atol=1e-6)


def test_a_bias_is_one_number_for_each_channel() -> None:
    x, y, bias = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5), torch.randn(3)
    assert torch.allclose(kernels.add_with_bias(x, y, bias), x + y + bias[:, None, None])
    assert torch.equal(kernels.add_with_bias(x, y, None), x + y)


def test_gradients_flow() -> None:
    layer = norm(4).double()
    x, shift, bias = (torch.randn(*s, dtype=torch.float64) for s in ((2, 4, 3), (2, 4), (4,)))
    leaves = [leaf.requires_grad_() for leaf in (x, shift, bias)]

    def run(x: Tensor, shift: Tensor, bias: Tensor) -> Tensor:
        y = layer(x, shift, with_silu=True)
        return kernels.geglu(kernels.add_with_bias(x, y, bias).transpose(1, 2))

    assert torch.autograd.gradcheck(run, leaves)


# Chosen ------------------------------------------------------------------------------------------


class CountingKernel:
    """In place of Triton's kernels; counts what it is asked for, and computes the same or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls, self.error = 0, error

    def geglu(self, x: Tensor) -> Tensor:
        return self._count(kernels._geglu, x)

    def layer_norm(self, *arguments: Tensor) -> Tensor:
        return self._count(kernels._layer_norm, *arguments)

    def _count(self, plain, *arguments: Tensor) -> Tensor:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return plain(*arguments)


class OnCuda(Tensor):
    """A tensor that says that it is on a GPU."""

    is_cuda = True

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        with torch._C.DisableTorchFunctionSubclass():
            return function(*args, **(kwargs or {}))


def on_cuda(x: Tensor) -> Tensor:
    return x.as_subclass(OnCuda)


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    def put(kernel: object) -> object:
        monkeypatch.setattr(jit, "_has_triton", True)
        monkeypatch.setattr(jit, "_failures", set())
        monkeypatch.setattr(kernels, "triton", kernel, raising=False)
        return kernel

    return put


@pytest.mark.parametrize(
    ("dtype", "is_taken"), [(torch.float16, 1), (torch.bfloat16, 1), (torch.float32, 0)]
)
def test_half_types_on_cuda_go_to_triton(install, dtype: torch.dtype, is_taken: int) -> None:
    kernel, x = install(CountingKernel()), torch.randn(3, 8).to(dtype)
    kernels.geglu(x)
    assert kernel.calls == 0
    assert torch.equal(kernels.geglu(on_cuda(x)), kernels.geglu(x))
    assert kernel.calls == is_taken


def test_gradients_do_not(install) -> None:
    kernel, x = (
        install(CountingKernel()),
        torch.randn(3, 8, dtype=torch.bfloat16, requires_grad=True),
    )
    assert kernels.geglu(on_cuda(x)).requires_grad
    assert kernel.calls == 0
    with torch.no_grad():
        kernels.geglu(on_cuda(x))
    assert kernel.calls == 1


@pytest.mark.parametrize(("dtype", "is_taken"), [(torch.bfloat16, 1), (torch.float32, 0)])
def test_all_that_is_read_must_be_of_half_types(install, dtype: torch.dtype, is_taken: int) -> None:
    kernel, layer = install(CountingKernel()), LayerNorm(8).to(dtype).requires_grad_(False)
    x, weights = on_cuda(torch.randn(3, 8, dtype=torch.bfloat16)), map(on_cuda, layer.parameters())
    kernels.layer_norm(x, *weights, layer.eps)
    assert kernel.calls == is_taken


def test_nothing_and_whole_graphs_are_left_to_torch(install, monkeypatch) -> None:
    kernel = install(CountingKernel())
    assert kernels.geglu(on_cuda(torch.randn(0, 8, dtype=torch.bfloat16))).shape == (0, 4)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    kernels.geglu(on_cuda(torch.randn(3, 8, dtype=torch.bfloat16)))
    assert kernel.calls == 0


def test_torch_takes_over_for_good(install) -> None:
    kernel = install(CountingKernel(RuntimeError("no compiler")))
    x = torch.randn(3, 8, dtype=torch.bfloat16)
    for _ in range(2):
        assert torch.equal(kernels.geglu(on_cuda(x)), kernels.geglu(x))
    assert kernel.calls == 1
    install(SimpleNamespace())  # without kernels
    assert torch.equal(kernels.geglu(on_cuda(x)), kernels.geglu(x))
    assert not jit.is_usable("geglu")
    assert jit.is_usable("layer_norm")


def test_want_of_memory_is_not_held_against_triton(install) -> None:
    for error in (torch.cuda.OutOfMemoryError("full"), RuntimeError("Triton: out of memory")):
        install(CountingKernel(error))
        with pytest.raises(type(error), match=str(error)):
            kernels.geglu(on_cuda(torch.randn(3, 8, dtype=torch.bfloat16)))
        assert jit.is_usable("geglu")


# On a GPU ----------------------------------------------------------------------------------------


@on_a_gpu
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_unet_predicts_the_same(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    """With and without kernels, and no farther from float32 than plain torch is."""
    from benchmarks.windows import MODES, forward, random_unet

    from actalker_core.models.actalker.config import VARIANTS

    outputs = {}
    for name, kind, usable in (
        ("exact", torch.float32, False),
        ("plain", dtype, False),
        ("fused", dtype, True),
    ):
        monkeypatch.setattr(jit, "_has_triton", usable)
        monkeypatch.setattr(jit, "_failures", set())
        unet = random_unet(VARIANTS["built-in"].unet, torch.device("cuda"), kind)
        torch.manual_seed(1)
        with torch.inference_mode():
            outputs[name] = forward(unet, MODES["both, paper's masks"], 4, 128)().float()
        assert not jit._failures
    off = {
        name: (x - outputs["exact"]).norm() / outputs["exact"].norm() for name, x in outputs.items()
    }
    assert 0 < off["fused"] < 1.5 * off["plain"] < 0.1


@on_a_gpu
def test_a_step_of_training_walks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from actalker_core.ops.selective_scan import selective_scan

    def gradients(usable: bool) -> list[Tensor]:
        monkeypatch.setattr(jit, "_has_triton", usable)
        monkeypatch.setattr(jit, "_failures", set())
        torch.manual_seed(0)
        shapes = (2, 37, 6), (2, 37, 6), (6, 4), (2, 37, 1, 4), (2, 37, 1, 4)
        leaves = [torch.randn(*shape, device="cuda") for shape in shapes]
        leaves[2] = -leaves[2].abs()
        y = selective_scan(*(leaf.requires_grad_() for leaf in leaves))
        outputs = [y, *torch.autograd.grad(y.square().sum(), leaves)]
        assert not jit._failures
        return outputs

    for got, want in zip(gradients(True), gradients(False), strict=True):
        assert torch.allclose(got, want, rtol=1e-4, atol=1e-4)
