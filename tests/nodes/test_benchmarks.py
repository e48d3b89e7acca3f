"""The benchmark that needs a ComfyUI runs."""

from bench_preflight import BOTH, Bench, Clip
from host import Comfy


def test_preflight_is_held_against_sampling(comfy: Comfy) -> None:
    row = Bench(comfy).row("both", Clip(0.2, BOTH), steps=1)
    told, taken = (float(part.split()[-1]) for part in row.split(" s")[:2])
    assert told >= 0
    assert taken > 0
