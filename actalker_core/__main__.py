"""The command line: `python -m actalker_core generate|convert|info|demo`."""

import argparse
import logging
import math
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm

from actalker_core import __version__
from actalker_core.bundle import ACTalker, place, random_model
from actalker_core.checkpoint import convert, load, summarize
from actalker_core.config import VARIANTS
from actalker_core.demo import write_demo
from actalker_core.errors import ACTalkerError, InputError
from actalker_core.faces import Box
from actalker_core.media import load_audio, load_image, read_frames, write_video
from actalker_core.model.mamba import use_scan_backend
from actalker_core.model.scan import CHOICES
from actalker_core.pipeline import (
    Clip,
    Inputs,
    Settings,
    default_guidance,
    default_windows,
    generate,
)
from actalker_core.regions import STYLES
from actalker_core.sampler.guidance import Guidance, Scale
from actalker_core.sampler.windows import MODES, Windows

log = logging.getLogger("actalker_core")

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
EXIT_ERROR, EXIT_INTERRUPTED = 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors of this package become one line and exit code 1."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    log.setLevel(logging.INFO)
    options = _parser().parse_args(arguments)
    try:
        with logging_redirect_tqdm():
            options.run(options)
    except ACTalkerError as error:
        log.error("Error: %s", error)
        return EXIT_ERROR
    except KeyboardInterrupt:
        log.error("Interrupted; nothing was written.")
        return EXIT_INTERRUPTED
    return 0


# Commands ----------------------------------------------------------------------------------------


def _generate(options: argparse.Namespace) -> None:
    model = _model(options)
    fps = options.fps or model.config.sampling.fps
    inputs = Inputs(
        portrait=load_image(options.portrait),
        audio=None if options.audio is None else load_audio(options.audio),
        driving=None if options.driving is None else read_frames(options.driving, fps),
        face=options.face_box,
        driving_face=options.driving_box,
        audio_mask=_mask(options.audio_mask),
        expression_mask=_mask(options.expression_mask),
    )
    with Bars() as bars:
        clip = generate(model, inputs, _settings(options, model), bars.report)
        written = write_video(options.out, bars.watched(clip), clip.fps, clip.audio)
    log.info("%s: %d frames at %g fps", options.out, written, clip.fps)


def _convert(options: argparse.Namespace) -> None:
    convert(
        options.folder,
        options.out,
        DTYPES[options.dtype],
        options.svd,
        VARIANTS[options.variant],
        lambda part: log.info("Reading %s", part),
    )
    log.info("%s: %.2f GB", options.out, options.out.stat().st_size / 1e9)


def _info(options: argparse.Namespace) -> None:
    summary = summarize(options.file)
    sampling = summary.config.sampling
    lines = [
        f"{options.file}: {summary.size_bytes / 1e9:.2f} GB",
        f"defaults: {sampling.short_side_px} px, {sampling.fps:g} fps, {sampling.steps} steps, "
        f"windows of {summary.config.unet.num_frames} frames",
        "tensors: " + ", ".join(f"{n} {kind}" for kind, n in sorted(summary.dtypes.items())),
        *(f"  {name:24}{count:>15,} numbers" for name, count in summary.parameters.items()),
        f"  {'in all':24}{sum(summary.parameters.values()):>15,} numbers",
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _demo(options: argparse.Namespace) -> None:
    portrait, speech, driving = write_demo(options.out)
    out = options.out / "demo.mp4"
    files = {"--portrait": portrait, "--audio": speech, "--driving": driving, "--out": out}
    arguments = [str(word) for pair in files.items() for word in pair]
    _generate(_parser().parse_args(["generate", *arguments]))


# Options -> values -------------------------------------------------------------------------------


def _model(options: argparse.Namespace) -> ACTalker:
    device = _device(options.device)
    dtype = _dtype(options.dtype, device)
    if options.model in VARIANTS:
        if options.model == "released":
            raise InputError(
                "--model released: the released weights are yours to fetch; convert them and name "
                "the .safetensors (see the README)."
            )
        log.warning("Model '%s' has random weights: the picture means nothing.", options.model)
        model = place(random_model(options.model), device, dtype)
    else:
        model = load(Path(options.model), device, dtype)
    use_scan_backend(model, options.scan)
    return model


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    known = re.fullmatch(r"(cpu|cuda|mps|xpu)(:\d+)?", name)
    if known is None:
        raise InputError(f"--device: expected auto, cpu, cuda or cuda:1, got '{name}'.")
    backends = {"cuda": torch.cuda, "mps": torch.backends.mps, "xpu": torch.xpu}
    if known[1] != "cpu" and not backends[known[1]].is_available():
        raise InputError(f"--device {name}: torch finds no such device. Use --device cpu.")
    return torch.device(name)


def _dtype(name: str, device: torch.device) -> torch.dtype:
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    return DTYPES[name]


def _settings(options: argparse.Namespace, model: ACTalker) -> Settings:
    return Settings(
        frames=options.frames,
        fps=options.fps,
        short_side_px=options.size,
        steps=options.steps,
        seed=options.seed,
        audio_gate=options.audio_gate,
        expression_gate=options.expression_gate,
        masks=options.masks,
        guidance=_chosen(
            default_guidance(model),
            appearance=options.appearance_scale,
            audio=options.audio_scale,
            expression=options.expression_scale,
        ),
        windows=_chosen(
            default_windows(model),
            frames=options.window_frames,
            overlap=options.overlap_frames,
            shift_per_step=options.shift_frames,
            mode=options.window_mode,
        ),
    )


T = TypeVar("T", Guidance, Windows)


def _chosen(default: T, **values: Any) -> T:
    """The default with the values that were given."""
    return replace(default, **{name: v for name, v in values.items() if v is not None})


def _mask(path: Path | None) -> torch.Tensor | None:
    """A picture's brightness as (1, 1, H, W)."""
    return None if path is None else load_image(path).mean(0)[None, None]


def _box(text: str) -> Box:
    try:
        x0, y0, x1, y1 = (float(edge) for edge in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected x0,y0,x1,y1 in pixels, got '{text}'") from None
    return x0, y0, x1, y1


def _scale(text: str) -> Scale:
    first, _, last = text.partition(":")
    try:
        scale = float(first), float(last or first)
    except ValueError:
        scale = math.nan, math.nan
    if not all(map(math.isfinite, scale)):
        raise argparse.ArgumentTypeError(f"expected a number or start:end, got '{text}'")
    return scale


def _positive(text: str) -> int:
    value = int(text) if text.isdigit() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got '{text}'")
    return value


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value <= 120:
        raise argparse.ArgumentTypeError(f"expected frames per second in 1…120, got '{text}'")
    return value


# Progress ----------------------------------------------------------------------------------------


class Bars:
    """One progress bar at a time."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None
        self._stage = ""

    def __enter__(self) -> "Bars":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def report(self, stage: str, done: int, total: int | None) -> None:
        """Show how far a stage is."""
        if stage != self._stage or self._bar is None:
            self._close()
            self._bar, self._stage = tqdm(desc=stage, total=total), stage
        self._bar.update(done - self._bar.n)

    def watched(self, clip: Clip) -> Iterator[torch.Tensor]:
        """The chunks of a clip, reported while they are read."""
        done = 0
        for chunk in clip.chunks:
            yield chunk
            done += len(chunk)
            self.report("Decoding", done, clip.frames)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()


# Parser ------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m actalker_core",
        description="Animate one portrait with speech and a driving clip.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_generate(commands.add_parser("generate", help="portrait + signals -> mp4"))
    _add_convert(commands.add_parser("convert", help="released folder -> one .safetensors"))
    info = commands.add_parser("info", help="describe a converted .safetensors")
    info.add_argument("file", type=Path)
    info.set_defaults(run=_info)
    demo = commands.add_parser("demo", help="draw a portrait, hum a vowel, make a video of them")
    demo.add_argument("--out", type=Path, default=Path("demo"), help="folder (demo)")
    demo.set_defaults(run=_demo)
    return parser


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_generate)
    add = parser.add_argument
    add("--portrait", type=Path, required=True, help="picture to animate")
    add("--audio", type=Path, help="speech: any sound or video file")
    add("--driving", type=Path, help="video whose expression and head pose are followed")
    add("--out", type=Path, required=True, help="mp4 to write")
    add("--model", default="tiny", help="converted .safetensors, or tiny: random weights (tiny)")
    add("--frames", type=_positive, help="at most so many frames (as long as the signals)")
    add("--size", type=_positive, help="short side in pixels, a multiple of 64 (the model's)")
    add("--steps", type=_positive, help="sampling steps (the model's)")
    add("--fps", type=_rate, help="frames per second (the model's, 12.5)")
    add("--seed", type=int, default=0, help="of the noise; same seed, same pictures (0)")
    add("--device", default="auto", help="auto, cpu or cuda (auto)")
    add("--dtype", choices=("auto", *DTYPES), default="auto", help="of the UNet (auto)")
    add("--scan", choices=CHOICES, default="auto", help="backend of the selective scan (auto)")
    _add_control(parser)
    _add_windows(parser)


def _add_control(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--face-box", type=_box, help="x0,y0,x1,y1 in the portrait (the whole picture)")
    add("--driving-box", type=_box, help="x0,y0,x1,y1 in the driving clip (the whole picture)")
    add("--audio-gate", default="1", help="0…1, or keys in seconds: 0:1,2.5:0 (1)")
    add("--expression-gate", default="1", help="the same for the expression (1)")
    add("--masks", choices=STYLES, default="released", help="regions of two signals (released)")
    add("--audio-mask", type=Path, help="picture over the portrait: white is the audio's region")
    add("--expression-mask", type=Path, help="the same for the expression")
    add("--appearance-scale", type=_scale, help="or start:end; 1 is off (2)")
    add("--audio-scale", type=_scale, help="or start:end; 1 is off (7.5)")
    add("--expression-scale", type=_scale, help="or start:end; 1 is off (3)")


def _add_windows(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--window-frames", type=_positive, help="frames denoised together (25)")
    add("--overlap-frames", type=int, help="shared by neighbouring windows (0)")
    add("--shift-frames", type=int, help="how far windows move each step (7)")
    add("--window-mode", choices=MODES, help="cyclic is as released (tight)")


def _add_convert(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=_convert)
    add = parser.add_argument
    add("folder", type=Path, help="folder with the released files")
    add("--out", type=Path, required=True, help=".safetensors to write")
    add("--svd", type=Path, help="SVD-xt-1.1: diffusers folder or .safetensors (in the folder)")
    add("--dtype", choices=tuple(DTYPES), default="fp16", help="of the stored weights (fp16)")
    add("--variant", choices=tuple(VARIANTS), default="released", help="sizes (released)")


if __name__ == "__main__":
    sys.exit(main())
