"""The scan in plain torch against its peers, on one frame of a 576×576 picture and on a quarter.

mambapy's parallel scan runs where that package is installed (extra `bench`); a small C++ loop, made
where there is a compiler, is the limit of what a CPU can do.
"""

import importlib.util
from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils import cpp_extension

from actalker_core.ops.selective_scan import BACKENDS
from benchmarks.harness import median_seconds, peak_bytes, say

TOKENS = (72 * 72 + 33, 36 * 36 + 33)
CHANNELS, STATE = 640, 16
LOOP = """
#include <cmath>
#include <torch/extension.h>
torch::Tensor walk(torch::Tensor u, torch::Tensor delta, torch::Tensor A, torch::Tensor B,
                   torch::Tensor C) {
  const int64_t length = u.size(0), channels = u.size(1), n = A.size(1);
  auto y = torch::empty_like(u);
  const float *pu = u.data_ptr<float>(), *pd = delta.data_ptr<float>();
  const float *pa = A.data_ptr<float>(), *pb = B.data_ptr<float>(), *pc = C.data_ptr<float>();
  float *py = y.data_ptr<float>();
  at::parallel_for(0, channels, 16, [&](int64_t first, int64_t last) {
    std::vector<float> h((last - first) * n, 0.f);
    for (int64_t t = 0; t < length; ++t)
      for (int64_t c = first; c < last; ++c) {
        const float dt = pd[t * channels + c], drive = dt * pu[t * channels + c];
        float *own = h.data() + (c - first) * n, sum = 0.f;
        #pragma GCC ivdep
        for (int64_t s = 0; s < n; ++s) {
          own[s] = std::exp(dt * pa[c * n + s]) * own[s] + drive * pb[t * n + s];
          sum += own[s] * pc[t * n + s];
        }
        py[t * channels + c] = sum;
      }
  });
  return y;
}
"""
FLAGS = ["-O3", "-march=native", "-ffast-math", "-fopenmp"]
Values = tuple[Tensor, ...]


def draw(tokens: int, channels: int) -> Values:
    """U, delta (l, d), A (d, n), B and C (l, n); delta is positive already."""
    torch.manual_seed(0)
    u = torch.randn(tokens, channels)
    delta = torch.rand(tokens, channels) * 0.1
    return (
        u,
        delta,
        -torch.rand(channels, STATE) * 4,
        torch.randn(tokens, STATE),
        torch.randn(tokens, STATE),
    )


def of_backend(values: Values, backend: str) -> Tensor:
    """One direction of a backend; like the peers, it is given positive steps."""
    u, delta, A, B, C = values
    inputs = (u[None], delta[None], A, B[None, :, None], C[None, :, None])
    return BACKENDS[backend](*inputs, False)[0]


def with_states(values: Values, walk: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Discretise all tokens, let `walk` find every state, read them out."""
    u, delta, A, B, C = values
    decay = torch.exp(delta[..., None] * A)
    drive = (delta * u)[..., None] * B[:, None]
    return (walk(decay, drive) @ C[..., None])[..., 0]


def associative(decay: Tensor, drive: Tensor) -> Tensor:
    """torch's associative scan, in its generic mode."""
    from torch._higher_order_ops.associative_scan import associative_scan

    def combine(a: Values, b: Values) -> Values:
        return a[0] * b[0], b[0] * a[1] + b[1]

    return associative_scan(combine, (decay, drive), dim=0, combine_mode="generic")[1]


def mambapy(decay: Tensor, drive: Tensor) -> Tensor:
    """mambapy's parallel scan of (b, l, d, n)."""
    from mambapy.pscan import pscan

    return pscan(decay[None], drive[None])[0]


def build_loop() -> Callable[..., Tensor] | None:
    """The C++ loop; None without a compiler."""
    try:
        module = cpp_extension.load_inline(
            "actalker_bench_walk", LOOP, functions="walk", extra_cflags=FLAGS
        )
    except (RuntimeError, OSError):
        say("   no C++ loop: it needs a C++ compiler and ninja")
        return None
    return module.walk


def peers(values: Values) -> dict[str, Callable[[], Tensor]]:
    """All that can run here."""
    calls = {
        "ours (chunked)": lambda: of_backend(values, "chunked"),
        "reference": lambda: of_backend(values, "reference"),
        "associative_scan": lambda: with_states(values, associative),
    }
    if importlib.util.find_spec("mambapy"):
        calls["mambapy pscan"] = lambda: with_states(values, mambapy)
    else:
        say("   no mambapy pscan: pip install mambapy")
    loop = build_loop()
    return calls if loop is None else calls | {"C++ loop (the limit)": lambda: loop(*values)}


def compare(tokens: int) -> None:
    """Print one size; a peer that computes something else stops the benchmark."""
    values = draw(tokens, CHANNELS)
    say(f"One scan: {tokens:,} tokens, {CHANNELS} channels, {STATE} states, one direction")
    calls = peers(values)
    want = calls["reference"]()
    for name, call in calls.items():
        torch.testing.assert_close(call(), want, rtol=1e-4, atol=1e-4, msg=f"{name} differs")
    medians = median_seconds(calls)
    for name, seconds in medians.items():
        say(f"   {seconds / medians['ours (chunked)']:>6.2f}×  {name:<22}{seconds:>8.3f} s")
    reference_bytes, chunked_bytes = (
        peak_bytes(lambda b=b: of_backend(values, b)) for b in ("reference", "chunked")
    )
    sizes = f"{chunked_bytes / 1e6:.0f} MB, {reference_bytes / 1e6:.0f} MB"
    say(f"   memory: 1/{reference_bytes / chunked_bytes:.0f} of the reference ({sizes})\n")


def main() -> None:
    for tokens in TOKENS:
        compare(tokens)
