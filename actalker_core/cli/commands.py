"""What each command does."""

import argparse
import json
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..control import curves
from ..control.edits import blend_signals, parse_edit
from ..control.monitor import draw_monitor
from ..control.signals import load_signals, save_signals
from ..control.words.bank import Bank, build_bank, extract_bank, read_references, save_bank
from ..control.words.clip import CLIPEncoder
from ..control.words.prompt import parse_prompt
from ..diffusion.guidance import GuidanceInterval
from ..errors import InputError
from ..faces import DEFAULT_PATH, Track, download_landmarker, open_finder
from ..faces.face import sort_faces
from ..faces.portrait import paste_back
from ..files.model_folders import find_core_folder
from ..files.writing import check_suffix, check_writable
from ..media import check_image_path, check_video_path, load_image, save_image, write_video
from ..models.actalker.checkpoint import convert, summarize
from ..models.actalker.config import ModelConfig
from ..models.actalker.defaults import default_guidance, default_windows, list_warnings, override
from ..models.actalker.encoders.motion import encode_expression
from ..models.actalker.load import load_model
from ..models.actalker.networks import ACTalker
from ..models.actalker.pipeline import generate
from ..models.actalker.plan import VideoPlan, make_monitor_rows, plan_video
from ..models.actalker.portrait import check_portrait
from ..ops.layers import lay_channels_last
from .device import choose_device
from .engine import NUMBERS
from .inputs import (
    Reader,
    add_text,
    check_texts,
    draw_portrait,
    encode_media,
    make_text_signal,
    read_regions,
    read_signals,
)
from .motion import check_motion_texts
from .photographs import MovedReader
from .progress import Bars

log = logging.getLogger("actalker_core")

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
UNET_DTYPES = {**DTYPES, "fp8": torch.float8_e4m3fn}


# Making ------------------------------------------------------------------------------------------


def run_generate(options: argparse.Namespace) -> None:
    """Portrait + signals -> video."""
    check_video_path(options.out, options.fps)
    check_texts(options)
    check_motion_texts(options)
    model = _load_model(options)
    sampling = _choose_sampling(options, model.config)
    with Bars() as bars:
        reader = _make_reader(options, model, bars)
        plan = _plan_video(options, model, reader)
        # A photograph is refused where the plan is made, before signals are encoded.
        video = generate(model, plan, **sampling, report=bars.report, allow_photograph=True)
        chunks = bars.report_chunks(video.chunks, video.frames)
        if options.paste_back:
            chunks = paste_back(chunks, reader.portrait_image, video.crop, options.feather_px)
        count = write_video(options.out, chunks, video.fps, video.audio)
    log.info("%s: %d frames at %g fps", options.out, count, video.fps)


def run_inspect(options: argparse.Namespace) -> None:
    """All that drives a video -> one image, without making the video."""
    check_image_path(options.out)
    check_texts(options)
    check_motion_texts(options)
    model = _load_model(options)
    _choose_sampling(options, model.config)
    with Bars() as bars:
        reader = _make_reader(options, model, bars)
        plan = _plan_video(options, model, reader)
    face = reader.driving_face
    rows = make_monitor_rows(plan, face if isinstance(face, Track) else None)
    save_image(options.out, draw_monitor(rows))
    log.info("%s: %d frames at %g fps", options.out, plan.frames, plan.fps)


def _make_reader(options: argparse.Namespace, model: ACTalker, bars: Bars) -> Reader:
    """What drives: the media, or the portrait moved by numbers."""
    reader = MovedReader if options.drive_by == NUMBERS else Reader
    return reader(options, options.fps or model.config.sampling.fps, bars)


def _plan_video(options: argparse.Namespace, model: ACTalker, reader: Reader) -> VideoPlan:
    portrait = draw_portrait(options, reader, model.config.sampling.short_side_px)
    if not options.allow_photograph:
        way_around = "To see the noise, add --allow-photograph."
        check_portrait(model.config, portrait, way_around, lambda: reader.optional_finder)
    regions = read_regions(options, reader)
    sound = reader.read_sound(options.sound)
    signals = read_signals(options)
    if options.drive_by != NUMBERS:  # there words are numbers too
        signals = add_text(options, reader, signals)
    signals = encode_media(options, reader, model, signals)
    speech = reader.audio or sound
    return plan_video(
        portrait,
        signals,
        model.config.sampling,
        fps=options.fps,
        max_frames=options.frames,
        extend=options.extend,
        audio_gate=curves.Curve(options.audio_gate, speech),
        expression_gate=curves.Curve(options.expression_gate, speech),
        regions=regions,
        sound=sound or reader.audio,
    )


# Signals -----------------------------------------------------------------------------------------


def run_signals(options: argparse.Namespace) -> None:
    """Media -> signals, edited and saved."""
    _check_tensors_path(options.out)
    edits = [parse_edit(text) for text in options.edit]
    curves.check_curve(options.blend_curve)
    if options.text is not None:
        parse_prompt(options.text)
    model = _load_model(options)
    fps = options.fps or model.config.sampling.fps
    with Bars() as bars:
        reader = Reader(options, fps, bars)
        signals = encode_media(options, reader, model, read_signals(options))
    if options.text is not None:
        seconds = options.text_seconds or parse_prompt(options.text)[-1].seconds + 1
        signals = replace(signals, expression=make_text_signal(options, seconds, fps))
    for edit in edits:
        signals = edit(signals)
    if options.blend is not None:
        curve = curves.Curve(options.blend_curve)
        signals = blend_signals(signals, load_signals(options.blend), curve)
    save_signals(options.out, signals)
    for name, signal in signals.present.items():
        log.info("%s: %s, %.2f s at %g Hz", options.out, name, signal.seconds, signal.rate_hz)


def run_bank(options: argparse.Namespace) -> None:
    """Face images, or moments of saved signals -> a bank of expressions."""
    _check_tensors_path(options.out)
    build = _build_image_bank if options.signals is None else _build_signal_bank
    bank = build(options)
    save_bank(options.out, bank)
    names = ("captions", "image_embeddings", "blendshapes")
    parts = [name for name in names if (part := getattr(bank, name)) is not None and len(part)]
    log.info("%s: %d expressions, with %s", options.out, len(bank), ", ".join(parts) or "names")


def _build_image_bank(options: argparse.Namespace) -> Bank:
    if options.folder is None:
        raise InputError("bank: expected a folder of face images, or --signals with --captions.")
    references = read_references(options.folder)
    clip = None if options.clip is None else CLIPEncoder(options.clip)
    model = _load_model(options)
    with Bars() as bars:
        return build_bank(
            references,
            lambda images, boxes: (
                encode_expression(model.expression_encoder, images, boxes, rate_hz=1.0).features
            ),
            open_finder(options.landmarker, report=bars.report),
            clip,
            lambda done: bars.report("Encoding images", done, None),
        )


def _build_signal_bank(options: argparse.Namespace) -> Bank:
    expression = load_signals(options.signals).expression
    if expression is None:
        raise InputError(
            f"{options.signals}: has no expression signal to make a bank of. Choose another file."
        )
    if options.captions is None:
        raise InputError("bank --signals needs --captions, such as '0s: neutral; 2s: joyful'.")
    moments = parse_prompt(options.captions)
    return extract_bank(expression, {moment.seconds: moment.text for moment in moments})


# Files -------------------------------------------------------------------------------------------


def _check_tensors_path(path: Path) -> None:
    """Refuse a place where no `.safetensors` can be written, or a name that says otherwise."""
    check_suffix(path, (".safetensors", ""))
    check_writable(path)


def run_faces(options: argparse.Namespace) -> None:
    """The faces of an image, as JSON, counted from the left."""
    with Bars() as bars:
        finder = open_finder(options.landmarker, report=bars.report)
    faces = finder.find(load_image(options.image))
    rows = [
        {
            "box": [round(edge, 1) for edge in face.box],
            "confidence": round(face.confidence, 3),
            "landmarks": 0 if face.landmarks is None else len(face.landmarks),
        }
        for face in sort_faces(faces)
    ]
    sys.stdout.write(json.dumps(rows, indent=1) + "\n")


def run_download(options: argparse.Namespace) -> None:
    """Fetch the face landmarker."""
    path = options.landmarker or find_core_folder() / DEFAULT_PATH.name
    with Bars() as bars:
        download_landmarker(path, report=bars.report)
    log.info("%s is ready.", path)


def run_convert(options: argparse.Namespace) -> None:
    """Released folder -> one .safetensors."""
    _check_tensors_path(options.out)
    convert(
        options.folder,
        options.out,
        DTYPES[options.dtype],
        options.svd,
        on_part=lambda part, done, total: log.info("Reading %s", part),
    )
    log.info("%s: %.2f GB", options.out, options.out.stat().st_size / 1e9)


def run_info(options: argparse.Namespace) -> None:
    """Describe a converted .safetensors."""
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


# Options -> values -------------------------------------------------------------------------------


def _load_model(options: argparse.Namespace) -> ACTalker:
    device = choose_device(options.device)
    dtype = None if options.dtype == "auto" else UNET_DTYPES[options.dtype]
    if options.model == "released":
        raise InputError(
            "--model released: the released weights are yours to fetch; convert them and name "
            "the .safetensors (docs/install-weights.md)."
        )
    model = load_model(options.model, device, dtype, scan=options.scan)
    if options.channels_last:
        lay_channels_last(model.unet)
    if options.compile:
        model.unet.compile()
    return model


def _choose_sampling(options: argparse.Namespace, config: ModelConfig) -> dict[str, Any]:
    """How `generate` samples; warns of what the model does not do well."""
    guidance = override(
        default_guidance(config),
        appearance=options.appearance_scale,
        audio=options.audio_scale,
        expression=options.expression_scale,
    )
    windows = override(
        default_windows(config),
        frames=options.window_frames,
        overlap=options.overlap_frames,
        shift_per_step=options.shift_frames,
        mode=options.window_mode,
    )
    interval = override(
        GuidanceInterval(),
        guide_from=options.guide_from,
        guide_to=options.guide_to,
        reuse_every=options.reuse_guidance,
    )
    for warning in list_warnings(
        config, short_side_px=options.size, fps=options.fps, windows=windows, guidance=guidance
    ):
        log.warning(warning)
    return {
        "steps": options.steps,
        "seed": options.seed,
        "guidance": guidance,
        "windows": windows,
        "schedule": options.schedule,
        "interval": interval,
        "passes_at_once": options.passes,
    }
