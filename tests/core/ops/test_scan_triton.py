"""The scan in Triton: interpreted and compiled without a GPU, chosen, given up; any scan traced."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers.compiled_kernels import ARCHITECTURES, compile_kernel, spilled_bytes
from helpers.interpreter import check_interpreted, needs_triton, on_a_gpu
from helpers.scan_inputs import draw_scan
from torch import Tensor

from actalker_core.ops import jit
from actalker_core.ops import selective_scan as package
from actalker_core.ops.selective_scan import ScanInput, operator, scan_inputs, selective
from actalker_core.ops.selective_scan.sequential import scan_sequentially


def draw(*shape: int, **options: bool) -> ScanInput:
    return draw_scan(*shape, dtype=torch.float32, **options)


# Interpreted -------------------------------------------------------------------------------------


@needs_triton
def test_the_kernels_under_the_interpreter() -> None:
    check_interpreted("interpreted_scan.py")


# Compiled ----------------------------------------------------------------------------------------


def scan_code(
    architecture: int, tokens: str, state: int, channels: int, *, has_order: bool = False
) -> bytes:
    """The scan compiled for tokens of a type."""
    import triton

    from actalker_core.ops.selective_scan.triton import OPTIONS, _scan_kernel

    constants = {
        "d": 640,
        "n": state,
        "DIRECTIONS": 2,
        "CHANNELS": channels,
        "STATES": triton.next_power_of_2(state),
        "HAS_ORDER": has_order,
    }
    kinds = {"A": "*fp32", "D": "*fp32", "bias": "*fp32", "idx": "*i64", "seq_lens": "*i64"}
    kinds |= dict.fromkeys(("x", "delta", "B", "C", "out"), f"*{tokens}")
    of_both = {f"{name}{i}": kind for name, kind in kinds.items() for i in (0, 1)}
    return compile_kernel(_scan_kernel, architecture, of_both, constants, **OPTIONS)


@needs_triton
@pytest.mark.parametrize("has_order", [False, True])
@pytest.mark.parametrize("state", [3, 16])
@pytest.mark.parametrize("tokens", ["fp32", "bf16"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_nothing_is_spilled(
    architecture: int, tokens: str, state: int, has_order: bool, folder: Path
) -> None:
    from actalker_core.ops.selective_scan.triton import CHANNELS

    machine_code = scan_code(architecture, tokens, state, CHANNELS, has_order=has_order)
    assert not spilled_bytes(machine_code, folder)


@needs_triton
def test_spills_would_be_seen(folder: Path) -> None:
    assert spilled_bytes(scan_code(90, "fp32", state=16, channels=512), folder)


@needs_triton
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_walk_spills_nothing(architecture: int, folder: Path) -> None:
    from actalker_core.ops.selective_scan.walk import NUMBERS, OPTIONS, _walk_kernel

    kinds = dict.fromkeys(("decay", "states"), "*fp32")
    machine_code = compile_kernel(
        _walk_kernel, architecture, kinds, {"NUMBERS": NUMBERS}, **OPTIONS
    )
    assert not spilled_bytes(machine_code, folder)


# On a GPU ----------------------------------------------------------------------------------------


@on_a_gpu
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2**-6), (torch.float16, 2**-9)]
)
def test_the_kernel_on_a_gpu(dtype: torch.dtype, tolerance: float) -> None:
    inputs = [
        draw_scan(3, 700, 33, 320, 16, dtype=dtype),
        draw_scan(3, 250, 2, 320, 16, orders=3, has_padding=True, dtype=dtype),
    ]
    want = scan_sequentially([on(scan, torch.float64) for scan in inputs], "chunked")
    got = scan_inputs([on(scan, "cuda") for scan in inputs])
    assert jit.is_usable(operator.NAME)
    for y, z in zip(got, want, strict=True):
        assert (y.cpu().double() - z).abs().max() < tolerance * z.abs().max()


def on(scan: ScanInput, place: str | torch.dtype) -> ScanInput:
    """The scan on a device, or its numbers in another type."""
    values = {}
    for field in fields(scan):
        value = getattr(scan, field.name)
        if isinstance(value, Tensor) and (isinstance(place, str) or value.is_floating_point()):
            values[field.name] = value.to(place)
    return replace(scan, **values)


# Chosen ------------------------------------------------------------------------------------------


class Kernel:
    """Stands for the room of the kernel; computes the same, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls, self.error = 0, error

    def scan_triton(self, inputs: Sequence[ScanInput]) -> list[Tensor]:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return scan_sequentially(inputs, "chunked")


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Lay a kernel where Triton's is, for tensors of the CPU."""

    def put(kernel: object) -> object:
        monkeypatch.setattr(jit, "_has_triton", True)
        monkeypatch.setattr(jit, "_failures", set())
        monkeypatch.setattr(operator, "DEVICE_TYPES", ("cpu",))
        monkeypatch.setattr(package, "triton", kernel, raising=False)
        selective.announce.cache_clear()
        return kernel

    yield put
    selective.announce.cache_clear()


@pytest.mark.parametrize(
    ("backend", "launches"), [("auto", 1), ("triton", 1), ("chunked", 0), ("reference", 0)]
)
def test_triton_is_the_first_choice(install, backend: str, launches: int) -> None:
    kernel = install(Kernel())
    inputs = [draw(2, 5, 1, 3, 2), draw(2, 3, 2, 3, 2, orders=2, has_padding=True)]
    got = scan_inputs(inputs, backend)
    assert kernel.calls == launches
    for y, z in zip(got, scan_sequentially(inputs, "reference"), strict=True):
        assert torch.allclose(y, z, atol=1e-5)


def test_triton_takes_neither_float64_nor_gradients(install) -> None:
    kernel = install(Kernel())
    scan = draw(1, 3, 1, 2, 2)
    trainable = replace(scan, D=scan.D.clone().requires_grad_())
    scan_inputs([draw_scan(1, 3, 1, 2, 2)], "triton")
    assert scan_inputs([scan, trainable], "triton")[1].requires_grad
    assert kernel.calls == 0
    with torch.no_grad():
        scan_inputs([scan, trainable])
    assert kernel.calls == 1


def test_triton_is_for_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "_has_triton", True)
    assert not operator.can_scan_as_operator([draw(1, 3, 1, 2, 2)], "triton")


def test_a_kernel_that_fails_is_given_up_once(install, caplog: pytest.LogCaptureFixture) -> None:
    kernel = install(Kernel(RuntimeError("Failed to find C compiler.\nAsk someone.")))
    inputs = [draw(2, 5, 1, 3, 2)]
    with caplog.at_level(logging.INFO):
        first, again = scan_inputs(inputs), scan_inputs(inputs, "triton")
    assert kernel.calls == 1
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[0], scan_sequentially(inputs, "auto")[0])
    lines = [r.message for r in caplog.records if r.levelno == logging.WARNING]
    assert lines == [
        "Triton cannot run here: selective scan (RuntimeError: Failed to find C compiler.); "
        "a slower way is taken"
    ]


def test_a_triton_that_cannot_be_imported_is_given_up(install, monkeypatch) -> None:
    install(SimpleNamespace())  # without `scan_triton`
    inputs = [draw(2, 5, 1, 3, 2)]
    assert torch.equal(scan_inputs(inputs)[0], scan_sequentially(inputs, "auto")[0])
    assert not jit.is_usable(operator.NAME)


def test_want_of_memory_is_not_held_against_triton(install) -> None:
    kernel = install(Kernel(torch.cuda.OutOfMemoryError("full")))
    for _ in range(2):
        with pytest.raises(torch.cuda.OutOfMemoryError):
            scan_inputs([draw(2, 5, 1, 3, 2)])
    assert kernel.calls == 2


# Traced ------------------------------------------------------------------------------------------


def check_operator(inputs: Sequence[ScanInput], backend: str) -> None:
    values = ([getattr(scan, name) for scan in inputs] for name in operator._FIELDS)
    torch.library.opcheck(operator._scan, (*values, backend))


def test_the_operator_keeps_torchs_rules(install) -> None:
    install(Kernel())
    check_operator([draw(2, 5, 1, 3, 2), draw(2, 3, 2, 3, 2, orders=2, has_padding=True)], "auto")


def test_the_operator_lays_out_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A backend may put out channels before tokens."""
    plain = selective.BACKENDS["chunked"]

    def transpose_scan(*arguments) -> Tensor:
        return plain(*arguments).mT.contiguous().mT

    monkeypatch.setitem(selective.BACKENDS, "chunked", transpose_scan)
    check_operator([draw(2, 5, 1, 3, 2)], "chunked")


def run_traced(source: ScanInput, backend: str, *, fullgraph: bool = True) -> Tensor:
    """Of a traced graph; where it must be whole, a break is an error."""
    torch.compiler.reset()

    @torch.compile(backend="eager", fullgraph=fullgraph)
    def run(x: Tensor) -> Tensor:
        scan = ScanInput(
            x * 2,
            delta=source.delta,
            B=source.B,
            C=source.C,
            A=source.A,
            D=source.D,
            bias=source.bias,
            suffix_len=source.suffix_len,
            order=source.order,
            seq_lens=source.seq_lens,
        )
        return scan_inputs([scan, scan], backend)[1] + 1

    return run(source.x)


def test_a_traced_graph_has_no_break(install) -> None:
    kernel = install(Kernel())
    scan = draw(2, 5, 2, 3, 2, orders=2)
    want = scan_inputs([replace(scan, x=scan.x * 2)])[0] + 1
    assert torch.equal(run_traced(scan, "auto"), want)
    assert kernel.calls == 2


@pytest.mark.parametrize("backend", selective.CHOICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_graph_that_is_traced_without_triton_has_no_break_either(
    backend: str, dtype: torch.dtype
) -> None:
    scan = draw_scan(2, 5, 2, 3, 2, orders=2, has_padding=True, dtype=dtype)
    want = scan_sequentially([replace(scan, x=scan.x * 2)], backend)[0] + 1
    assert torch.equal(run_traced(scan, backend), want)


def test_gradients_go_through_what_is_traced() -> None:
    scan = draw(2, 5, 2, 3, 2)
    trainable, alone = (replace(scan, x=scan.x.clone().requires_grad_()) for _ in range(2))
    run_traced(trainable, "auto", fullgraph=False).square().sum().backward()
    want = scan_sequentially([replace(alone, x=alone.x * 2)], "auto")[0] + 1
    want.square().sum().backward()
    assert trainable.x.grad is not None
    assert torch.allclose(trainable.x.grad, alone.x.grad)
