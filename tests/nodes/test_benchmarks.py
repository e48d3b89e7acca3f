"""The benchmark that needs a ComfyUI runs."""

from benchmarks.bench_preflight import BOTH_SIGNALS, Bench, VideoKind
from helpers.host import Comfy


def test_preflight_is_held_against_sampling(comfy: Comfy) -> None:
    row = Bench(comfy).row("both", VideoKind(0.2, BOTH_SIGNALS), steps=1)
    ratio = float(row.split("×")[0].split()[-1])
    assert ratio > 0
    assert row.endswith((", within 15%", ", OVER 15%"))
