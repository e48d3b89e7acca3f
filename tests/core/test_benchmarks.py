"""What the benchmarks run where their numbers would say nothing."""

from pathlib import Path

import bench_core
import bench_gpu
import pytest
import torch

from actalker_core.model.scan import mamba_ssm_cuda, reference, scan_branches


@pytest.fixture(autouse=True)
def once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_core, "REPEATS", 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_without_a_gpu_the_table_says_that_nothing_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- gpu -->\nold\n<!-- /gpu -->\nafter\n")
    bench_gpu.main(page)
    written = page.read_text()
    assert written.startswith("before\n")
    assert written.endswith("after\n")
    assert "old" not in written
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert len(rows) > 8
    assert {found for _, found, *_ in rows[2:]} == {"not measured"}
    assert all(" | ".join(row) in written for row in rows)


def test_the_peer_of_the_scan_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mamba_ssm_cuda, "scan", reference.scan)
    given = bench_gpu.scan_inputs(bench_gpu.setup())
    image, ours = given.image_tokens, scan_branches([given])[0]
    skipped = given.x[:, :image] * given.D.sum(0)
    theirs = bench_gpu.mamba_ssm_call(given)()[:, :image]
    assert torch.allclose(theirs + skipped, ours, rtol=1e-4, atol=1e-4)
