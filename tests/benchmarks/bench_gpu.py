"""What the core reaches on a GPU, as a table in docs/performance.md: `make bench-gpu`.

Where mamba-ssm is installed (built with MAMBA_KEEP_CUDA_BUILD=TRUE) the scan is also held against
its CUDA kernel, with the flips and copies that the kernel asks for; its softplus and skip term are
made before and not counted. Without a GPU the same code runs under small sizes on the CPU, and the
table says that nothing was measured.
"""

import datetime
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from helpers.defaults import GUIDANCE, WINDOWS
from helpers.tiny import TINY
from torch import Tensor

from actalker_core.diffusion.loop import sample
from actalker_core.diffusion.schedules import karras_sigmas
from actalker_core.models.actalker.config import VARIANTS, ModelConfig
from actalker_core.models.actalker.denoiser import Denoiser
from actalker_core.models.actalker.guidance import Pass
from actalker_core.models.actalker.vae import build_vae, decode_frames
from actalker_core.ops.selective_scan import ScanInput, mamba_ssm_cuda, scan_inputs
from actalker_core.training.report import replace_section
from benchmarks.harness import REPEATS, median_seconds, say, seconds_of
from benchmarks.harness import table as markdown
from benchmarks.plain import floor
from benchmarks.windows import MODES, conditioning, forward, noise, random_unet

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
MARK = "gpu"
H200_SECONDS_PER_STATE_ELEMENT = 0.27e-12
"""An H200's exponential units make no more than one exponential in that time."""
NOT_MEASURED = "not measured"
SCAN_TARGETS = "≥ 2.5×", "≥ 50 %"
JOINT = "both, paper's masks"
SIZE_PX, FRAMES, STEPS = 576, 25, 25
"""Of the clip in the table."""


@dataclass(frozen=True)
class Setup:
    """How large everything is that is run.

    Attributes:
        sizes_px: for each size in the table, the side of the square pictures that are run.
        dtype: of the weights.
    """

    config: ModelConfig
    sizes_px: dict[int, int]
    frames: int
    steps: int
    device: torch.device
    dtype: torch.dtype
    repeats: int = REPEATS

    @property
    def is_measured(self) -> bool:
        """Whether the numbers say anything."""
        return self.device.type == "cuda"


Calls = dict[str, Callable[[], object]]
Row = tuple[str, str, str]
"""What, how much, and the target."""


def setup() -> Setup:
    """The released sizes on a GPU, or small ones on the CPU."""
    if torch.cuda.is_available():
        config, sizes_px = VARIANTS["released"], {576: 576, 640: 640}
        return Setup(config, sizes_px, FRAMES, STEPS, torch.device("cuda"), torch.bfloat16)
    config, sizes_px = TINY, {576: 64, 640: 128}
    return Setup(config, sizes_px, 2, 2, torch.device("cpu"), torch.float32, repeats=1)


# Scan --------------------------------------------------------------------------------------------


def random_inputs(s: Setup, passes: int, suffixes: Sequence[int]) -> list[ScanInput]:
    """Scans of all tokens of the finest layer, each with a suffix of its own length."""
    unet = s.config.unet
    side = s.sizes_px[SIZE_PX] // 8
    width = unet.expand * unet.block_out_channels[0]
    k, b, n = unet.directions, passes * s.frames, unet.state

    def draw(*shape: int, dtype: torch.dtype = s.dtype) -> Tensor:
        return torch.randn(*shape, device=s.device, dtype=dtype)

    def draw_scan(suffix: int) -> ScanInput:
        tokens = side * side + suffix
        return ScanInput(
            x=draw(b, tokens, width),
            delta=draw(k, b, tokens, width),
            B=draw(k, b, tokens, n),
            C=draw(k, b, tokens, n),
            A=-draw(k, width, n, dtype=torch.float32).abs(),
            D=draw(k, width, dtype=torch.float32),
            bias=draw(k, width, dtype=torch.float32),
            suffix_len=suffix,
        )

    return [draw_scan(suffix) for suffix in suffixes]


def scan_rows(s: Setup) -> Iterator[Row]:
    """What the joint mode scans, four passes of both signals at once; and the least there is."""
    audio, expression = 1 + s.config.audio_projection.context_tokens, 2
    scans = random_inputs(s, len(Pass), (audio, expression))
    yield from compare_scans(s, f"scans of the finest layer at {SIZE_PX}²", scans, SCAN_TARGETS)
    least = random_inputs(s, 1, (audio,))
    yield from compare_scans(s, "one signal in one pass", least, ("", ""))


def compare_scans(
    s: Setup, name: str, inputs: Sequence[ScanInput], target: tuple[str, str]
) -> Iterator[Row]:
    """Ours, and as a ratio mamba-ssm's."""
    peers: Calls = {"ours": lambda: scan_inputs(inputs)}
    if s.is_measured and mamba_ssm_cuda.is_installed():
        theirs = [mamba_ssm_call(scan) for scan in inputs]
        peers["mamba-ssm"] = lambda: [scan() for scan in theirs]
    times = median_seconds(peers, s.repeats)
    our_seconds = times["ours"]
    elements = sum(scan.delta.numel() * scan.A.shape[2] for scan in inputs)
    least_seconds = elements * H200_SECONDS_PER_STATE_ELEMENT
    ratio = f"{times['mamba-ssm'] / our_seconds:.2f}×" if "mamba-ssm" in times else NOT_MEASURED
    yield f"{name}, over mamba-ssm's kernel with its copies", ratio, target[0]
    share = f"{least_seconds / our_seconds:.0%}, {1e3 * our_seconds:.2f} ms"
    yield f"{name}, share of an H200's exponential bound", share, target[1]


def mamba_ssm_call(scan_input: ScanInput) -> Callable[[], object]:
    """mamba-ssm's kernel over the same tokens in each direction, outputs added."""
    delta = F.softplus(scan_input.delta + scan_input.bias[:, None, None].to(scan_input.delta))

    def scan(k: int) -> Tensor:
        B, C = (of[k].unsqueeze(2) for of in (scan_input.B, scan_input.C))  # b s n -> b s g n
        return mamba_ssm_cuda.scan_mamba_ssm(
            scan_input.x, delta[k], scan_input.A[k], B, C, k % 2 == 1
        )

    return lambda: sum(scan(k) for k in range(len(delta)))


# Forward -----------------------------------------------------------------------------------------


def forward_rows(s: Setup, named_px: int) -> Iterator[Row]:
    """All passes of one window in one batch, in three gate modes, over the floor's four."""
    size_px = s.sizes_px[named_px]
    unet = random_unet(s.config.unet, s.device, s.dtype)
    like = unet.conv_in.weight
    peers: Calls = {"floor": floor(s.config.unet, len(Pass), s.frames, size_px, like)}
    peers |= {name: forward(unet, mode, s.frames, size_px) for name, mode in MODES.items()}
    times = median_seconds(peers, s.repeats)
    lowest, at = times.pop("floor"), f"one window at {named_px}²"
    yield f"{at}, diffusers' plain UNet, four passes", f"{lowest:.3f} s", ""
    for mode, time in times.items():
        target = "≤ 0.55 s" if (named_px, mode) == (SIZE_PX, JOINT) else ""
        yield f"{at}, {mode}", f"{time / lowest:.2f} of that, {time:.3f} s", target
    weights = sum(parameter.nbytes for parameter in unet.parameters())
    target = "≤ 10 GB" if named_px == SIZE_PX else ""
    for mode in MODES:
        peak = peak_bytes(s, peers[mode])
        text = f"{(peak + weights) / 1e9:.2f} GB with weights, {peak / 1e9:.2f} GB besides them"
        yield f"{at}, {mode}, peak of memory", text, target


def peak_bytes(s: Setup, call: Callable[[], object]) -> int:
    """The most that a call holds besides what was there; 0 where nothing is measured."""
    if not s.is_measured:
        call()
        return 0
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    call()
    return torch.cuda.max_memory_allocated() - before


def compiled_rows(s: Setup) -> Iterator[Row]:
    """What torch.compile saves and costs."""
    unet = random_unet(s.config.unet, s.device, s.dtype)
    call = forward(unet, MODES[JOINT], s.frames, s.sizes_px[SIZE_PX])
    exact, time = call(), median_seconds({"": call}, s.repeats)[""]
    unet.compile(backend="inductor" if s.is_measured else "eager")
    first = seconds_of(call)
    off = (call() - exact).norm() / exact.norm()
    again = median_seconds({"": call}, s.repeats)[""]
    text = f"{again / time:.2f} of its time, {off:.1e} off, the first {first:.0f} s"
    yield f"one window at {SIZE_PX}², {JOINT}, compiled", text, ""


# Clip --------------------------------------------------------------------------------------------


def clip_rows(s: Setup) -> Iterator[Row]:
    """From noise to frames."""
    size_px, sampling = s.sizes_px[SIZE_PX], s.config.sampling
    with s.device:
        vae = build_vae(s.config.vae).requires_grad_(False)
    vae = vae.to(s.device)  # some of its parameters are made on the CPU whatever the device
    unet = random_unet(s.config.unet, s.device, s.dtype)
    tokens = s.config.audio_projection.context_tokens
    like = unet.conv_in.weight
    clip = conditioning(s.config.unet, MODES[JOINT], s.frames, size_px, like, tokens)
    sigmas = karras_sigmas(s.steps, sampling.sigma_min, sampling.sigma_max, sampling.rho)
    start = sigmas[0] * noise(clip).float()
    denoiser = Denoiser(unet, clip)

    def make() -> list[Tensor]:
        latents = sample(denoiser, start, sigmas, GUIDANCE, WINDOWS)
        return list(decode_frames(vae, latents, sampling.decode_frames))

    name = f"{FRAMES} frames × {STEPS} steps at {SIZE_PX}², {JOINT}, from noise to frames"
    time = median_seconds({name: make}, s.repeats)[name]
    yield name, f"{time:.1f} s", "≤ 15 s"


# Table -------------------------------------------------------------------------------------------


@torch.inference_mode()
def rows(s: Setup) -> list[Row]:
    """All that is measured; without a GPU what was run, without its numbers."""
    forwards = (row for px in s.sizes_px for row in forward_rows(s, px))
    results = [*scan_rows(s), *forwards, *clip_rows(s), *compiled_rows(s)]
    return results if s.is_measured else [(name, NOT_MEASURED, goal) for name, _, goal in results]


def table(s: Setup, results: list[Row]) -> str:
    """Markdown, dated, with the card's name."""
    card = torch.cuda.get_device_name() if s.is_measured else "no GPU at hand"
    head = f"{datetime.date.today()}, {card}, torch {torch.__version__}", "measured", "target"
    return markdown(head, results)


def main(page: Path = PAGE) -> None:
    """Measure, print and keep the table."""
    s = setup()
    text = table(s, rows(s))
    say(text)
    replace_section(page, MARK, text)
