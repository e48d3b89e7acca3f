"""What the benchmarks run where their numbers would say nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks import bench_acceleration, bench_clip, bench_gpu
from benchmarks.bench_acceleration import Amount, Way
from benchmarks.plain import floor
from benchmarks.windows import MODES, conditioning, random_unet
from helpers.tiny import TINY

from actalker_core.diffusion.windows import Windows
from actalker_core.models.actalker.checkpoint import load_built_in
from actalker_core.models.actalker.denoiser import Denoiser
from actalker_core.models.actalker.networks import FLOAT32_LEAVES
from actalker_core.ops.selective_scan import mamba_ssm_cuda, reference, scan_inputs
from actalker_core.training.likeness import psnr_db, ssim


@pytest.fixture(autouse=True)
def without_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_without_a_gpu_the_table_says_that_nothing_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- gpu -->\nold\n<!-- /gpu -->\nafter\n")
    bench_gpu.main(page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert len(rows) > 8
    assert {result for _, result, *_ in rows[2:]} == {"not measured"}
    assert all(" | ".join(row) in text for row in rows)


def test_the_floor_lies_on_one_device() -> None:
    like = torch.empty(0, device="meta", dtype=torch.float16)
    (pictures,) = floor(TINY.unet, 4, 2, 64, like)()
    assert (pictures.device, pictures.dtype, len(pictures)) == (like.device, like.dtype, 4)


def test_the_peer_of_the_scan_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mamba_ssm_cuda, "scan_mamba_ssm", reference.scan_reference)
    (scan,) = bench_gpu.random_inputs(bench_gpu.setup(), 1, (3,))
    image, ours = scan.image_tokens, scan_inputs([scan])[0]
    skip_term = scan.x[:, :image] * scan.D.sum(0)
    theirs = bench_gpu.mamba_ssm_call(scan)()[:, :image]
    assert torch.allclose(theirs + skip_term, ours, rtol=1e-4, atol=1e-4)


def test_likeness_falls_with_what_is_added() -> None:
    chance = np.random.default_rng(0)
    pictures = [chance.integers(60, 190, (16, 24, 3)).astype(np.uint8) for _ in range(2)]
    distortions = [
        [(p + sign * chance.integers(0, 9 * more, p.shape)).astype(np.uint8) for p in pictures]
        for more, sign in ((1, 1), (6, -1))
    ]
    assert psnr_db(pictures, pictures) == float("inf")
    assert ssim(pictures, pictures) == pytest.approx(1)
    assert psnr_db(pictures, distortions[0]) > psnr_db(pictures, distortions[1]) > 10
    assert 1 > ssim(pictures, distortions[0]) > ssim(pictures, distortions[1])
    assert psnr_db([pictures[0]], [pictures[0] + np.uint8(1)]) == pytest.approx(48.13, abs=0.01)


def test_accelerations_are_held_against_the_exact_way() -> None:
    ways = {"exact": Way({"steps": 2}), "one step": Way({"steps": 1})}
    head, _, exact, shorter = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in bench_acceleration.table(ways, Amount(1, 2, 1, 1)).splitlines()
    )
    assert len(head) == len(exact) == len(shorter) == 6
    assert exact[:4] == ["exact", "1.00", "inf dB", "1.000"]
    assert 0 < float(shorter[2].split()[0]) < 100
    assert float(shorter[3]) < 1


def test_eight_bits_leave_the_scan_alone() -> None:
    model = load_built_in(torch.device("cpu"), torch.float32)
    before = {name: weight.clone() for name, weight in model.unet.named_parameters()}
    bench_acceleration.weights_in_8_bits(model)
    names = {n for n, w in model.unet.named_parameters() if not torch.equal(w, before[n])}
    assert any(name.endswith("in_proj1.weight") for name in names)
    assert not any(name.endswith(FLOAT32_LEAVES) for name in names)


@pytest.mark.parametrize("mode", MODES)
def test_the_peer_of_the_clip_computes_the_same(mode: str) -> None:
    config, cpu = TINY, torch.device("cpu")
    unet = random_unet(config.unet, cpu, torch.float64)
    clip = conditioning(config.unet, MODES[mode], 3, 64, unet.conv_in.weight)
    peer = bench_clip.ReleasedDenoiser(unet, bench_clip.released_clip(clip), 1)
    expected, latent = (
        bench_clip.run_sampler(config, denoiser, 2, Windows(2, 0, 1))
        for denoiser in (Denoiser(unet, clip), peer)
    )
    assert torch.allclose(latent, expected, rtol=1e-6, atol=1e-6)
