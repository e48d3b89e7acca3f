"""Every backend of the selective scan computes what the reference computes."""

import logging
import sys
from types import ModuleType, SimpleNamespace

import pytest
import torch
from torch import Tensor

from actalker_core.errors import InputError
from actalker_core.ops.selective_scan import (
    choose_backend,
    chunked,
    mamba_ssm_cuda,
    selective,
    selective_scan,
)

LENGTHS = [1, 2, 3, 31, 32, 33, 97]


def inputs(length: int, batch: int = 2, channels: int = 6, groups: int = 1, state: int = 4) -> dict:
    random = torch.Generator().manual_seed(length)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    return {
        "u": draw(batch, length, channels),
        "delta": draw(batch, length, channels),
        "A": -draw(channels, state).exp(),
        "B": draw(batch, length, groups, state),
        "C": draw(batch, length, groups, state),
        "D": draw(channels),
        "delta_bias": draw(channels),
    }


def as_float32(values: dict) -> dict:
    return {name: value.float() for name, value in values.items()}


def relative_error(got: Tensor, want: Tensor) -> float:
    return ((got - want).abs().max() / want.abs().max()).item()


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 32 tokens for the shapes of `inputs`, so that short sequences cross borders."""
    monkeypatch.setattr(chunked, "CPU_CHUNK_NUMBERS", 32 * 2 * 4 * 6)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("length", LENGTHS)
def test_chunked_is_the_reference(length: int, groups: int, reverse: bool) -> None:
    values = inputs(length, groups=groups)
    want = selective_scan(**values, reverse=reverse, backend="reference")
    exact = selective_scan(**values, reverse=reverse, backend="chunked")
    single = selective_scan(**as_float32(values), reverse=reverse, backend="chunked")
    assert exact.dtype == torch.float64
    assert relative_error(exact, want) < 1e-12
    assert relative_error(single.double(), want) < 2e-6


@pytest.mark.parametrize("rows_in_cache", [1, 2, 5])
def test_rows_do_not_meet(monkeypatch: pytest.MonkeyPatch, rows_in_cache: int) -> None:
    values = inputs(17, batch=5)
    monkeypatch.setattr(chunked, "CPU_STATE_NUMBERS", rows_in_cache * 6 * 4)
    joint = selective_scan(**values)
    for row in range(5):
        alone = {k: v[row : row + 1] if v.ndim > 2 else v for k, v in values.items()}
        assert torch.allclose(selective_scan(**alone), joint[row : row + 1], atol=1e-12)


def test_reverse_is_the_flipped_scan() -> None:
    values = inputs(19)
    reverse_inputs = {k: v.flip(1) if v.ndim > 2 else v for k, v in values.items()}
    backwards = selective_scan(**values, reverse=True)
    assert torch.allclose(backwards, selective_scan(**reverse_inputs).flip(1), atol=1e-12)


def test_the_recurrence_by_hand() -> None:
    values = inputs(5, batch=1, channels=1, state=1)
    u, A, B, C, D = (values[k].flatten() for k in "uABCD")
    delta = torch.log1p(torch.exp(values["delta"].flatten() + values["delta_bias"]))
    h, want = 0.0, []
    for t in range(5):
        h = torch.exp(delta[t] * A[0]) * h + delta[t] * B[t] * u[t]
        want.append(C[t] * h + D[0] * u[t])
    assert torch.allclose(selective_scan(**values).flatten(), torch.stack(want), atol=1e-12)


@pytest.mark.parametrize("backend", ["reference", "chunked"])
def test_a_token_without_step_leaves_the_state(backend: str) -> None:
    values = inputs(9)
    values["D"].zero_()
    values["delta"][:, 4] = -torch.inf
    without = {
        k: torch.cat([v[:, :4], v[:, 5:]], 1) if v.ndim > 2 else v for k, v in values.items()
    }
    full = selective_scan(**values, backend=backend)
    shorter = selective_scan(**without, backend=backend)
    assert torch.allclose(full[:, 5:], shorter[:, 4:], atol=1e-12)


@pytest.mark.parametrize("backend", ["reference", "chunked"])
def test_no_tokens(backend: str) -> None:
    values = inputs(0)
    assert selective_scan(**values, backend=backend).shape == (2, 0, 6)


def test_half_precision_computes_in_float32() -> None:
    values = as_float32(inputs(33))
    half = {**values, "u": values["u"].bfloat16()}
    float_values = {**values, "u": half["u"].float()}
    got = selective_scan(**half)
    assert got.dtype == torch.bfloat16
    assert torch.equal(got, selective_scan(**float_values).bfloat16())


@pytest.mark.parametrize("learns", [False, True])
def test_autocast_does_not_reach_the_scan(learns: bool) -> None:
    values = as_float32(inputs(33))
    values["u"].requires_grad_(learns)
    want = selective_scan(**values)
    with torch.autocast("cpu", torch.bfloat16):
        got = selective_scan(**values)
    assert torch.equal(got, want)
    if learns:
        got.sum().backward()
        assert values["u"].grad.isfinite().all()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("length", [1, 2, 5])
def test_gradients_flow_and_are_right(length: int, groups: int, reverse: bool) -> None:
    values = inputs(length, channels=2, state=2, groups=groups)
    leaves = [value.requires_grad_() for value in values.values()]

    def run_scan(*leaves: Tensor) -> Tensor:
        return selective_scan(*leaves, reverse=reverse)

    with torch.no_grad():
        want = selective_scan(*leaves, reverse=reverse, backend="reference")
    assert relative_error(run_scan(*leaves), want) < 1e-12
    assert torch.autograd.gradcheck(run_scan, leaves)


# Backends ----------------------------------------------------------------------------------------


def test_unknown_backend_says_what_there_is() -> None:
    with pytest.raises(InputError, match=r"auto or reference .* or triton, got 'fast'"):
        choose_backend("fast", "cpu")


def test_shapes_are_checked() -> None:
    values = inputs(4)
    with pytest.raises(InputError, match="Selective scan: expected"):
        selective_scan(**{**values, "C": values["C"][:, :, 0]})


@pytest.mark.parametrize("missing", ["mamba_ssm", "triton"])
def test_missing_backend_gives_the_same_result(
    missing: str, caplog: pytest.LogCaptureFixture
) -> None:
    selective.announce.cache_clear()
    values = as_float32(inputs(21))
    with caplog.at_level(logging.INFO):
        fallback = selective_scan(**values, backend=missing)
        again = selective_scan(**values, backend=missing)
    assert torch.equal(fallback, selective_scan(**values))
    assert torch.equal(fallback, again)
    lines = [r.message for r in caplog.records if missing in r.message]
    assert lines == [f"Selective scan: chunked on cpu; '{missing}' is not available here"]


def test_mamba_ssm_is_chosen_on_cuda_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mamba_ssm_cuda, "is_installed", lambda: True)
    assert choose_backend("auto", "cuda") == "mamba_ssm"
    assert choose_backend("auto", "cpu") == "chunked"
    assert choose_backend("auto", "cuda", torch.float64) == "chunked"
    assert choose_backend("chunked", "cuda") == "chunked"


def kernel_by_hand(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor) -> Tensor:
    """What mamba-ssm's kernel computes on (b, d, l) and (b, g, n, l), without its softplus."""
    per_group = u.shape[1] // B.shape[1]
    B, C = (m.repeat_interleave(per_group, 1) for m in (B, C))
    h, outputs = torch.zeros(*u.shape[:2], A.shape[1], dtype=u.dtype), []
    for t in range(u.shape[2]):
        step = delta[:, :, t, None]
        h = torch.exp(step * A) * h + step * u[:, :, t, None] * B[..., t]
        outputs.append((h * C[..., t]).sum(-1))
    return torch.stack(outputs, 2)


@pytest.mark.parametrize("reverse", [False, True])
def test_mamba_ssm_is_called_as_it_wants(monkeypatch: pytest.MonkeyPatch, reverse: bool) -> None:
    interface = "mamba_ssm.ops.selective_scan_interface"
    for name in ("mamba_ssm", "mamba_ssm.ops"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, interface, SimpleNamespace(selective_scan_fn=kernel_by_hand))
    v = inputs(13, groups=2)
    arguments = (v["u"], v["delta"].exp(), v["A"], v["B"], v["C"], reverse)
    got = mamba_ssm_cuda.scan_mamba_ssm(*arguments)
    assert torch.allclose(got, chunked.scan_chunked(*arguments), atol=1e-12)
