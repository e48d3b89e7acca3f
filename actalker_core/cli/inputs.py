"""Options -> what the core takes: media, faces, signals, regions."""

import argparse
import logging
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor

from ..control import curves
from ..control.regions import parse_region
from ..control.signals import ExpressionSignal, Signals, load_signals
from ..control.words.bank import Bank, load_bank
from ..control.words.clip import CLIPEncoder
from ..control.words.matchers import CLIPMatcher, Matcher, PresetMatcher, WordMatcher
from ..control.words.prompt import express_words, parse_prompt
from ..errors import FaceError, InputError
from ..faces import Box, Face, FaceFinder, Track, find_face, open_finder, track_face
from ..faces.box import check_box, image_box
from ..faces.face import advise, box_of_mask, face_in_box, find_first_face
from ..faces.portrait import Portrait, prepare_portrait
from ..media import Audio, VideoFrames, load_audio, load_image
from ..models.actalker.encode import encode_signals
from ..models.actalker.encoders.audio import required_seconds
from ..models.actalker.networks import Encoders
from ..models.actalker.plan import RegionChoice
from .progress import Bars
from .types import WHOLE_IMAGE

log = logging.getLogger(__name__)

VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif", ".m4v")

PORTRAIT_ADVICE = "Or give --face-box or --face-mask, which also serve drawn and stylised faces."


class Reader:
    """Reads the media that options name, and finds their faces; each once, when it is asked for."""

    def __init__(self, options: argparse.Namespace, fps: float, bars: Bars) -> None:
        self.options, self.fps, self.bars = options, fps, bars

    @cached_property
    def portrait_image(self) -> Tensor:
        """(3, H, W) in 0…1."""
        return load_image(self.options.portrait)

    @cached_property
    def audio(self) -> Audio | None:
        """The speech."""
        return self.read_sound(self.options.audio)

    @cached_property
    def driving(self) -> Iterable[Tensor] | None:
        """The frames (3, H, W) of the driving video."""
        return self.read_frames(self.options.driving)

    @cached_property
    def head(self) -> VideoFrames | None:
        """The video for the head pose alone."""
        return self.read_frames(self.options.head)

    @cached_property
    def driving_face(self) -> Track | Box | None:
        """Boxed by hand, else followed; None for whole frames."""
        box: Box | None = self.options.driving_box
        if box is not None or self.driving is None:
            return None if box == WHOLE_IMAGE else box
        with advise("Or give --driving-box around it."):
            return self.track_face(self.driving, "driving clip")

    def head_box(self, frames: VideoFrames) -> Box | None:
        """Boxed by hand, else found in the first frame that shows a face; None for whole ones."""
        box: Box | None = self.options.head_box
        if box is not None:
            return None if box == WHOLE_IMAGE else box
        with advise("Or give --head-box around it."):
            choice = self.options.driving_face
            return find_first_face(self.finder, frames, choice, "head clip").box

    def read_frames(self, path: Path | None) -> VideoFrames | None:
        """A video at the frame rate of the result."""
        return None if path is None else VideoFrames(path, self.fps)

    def read_sound(self, path: Path | None) -> Audio | None:
        """As much of a sound as the frames asked for need."""
        max_frames = self.options.frames
        seconds = None if max_frames is None else required_seconds(max_frames / self.fps)
        return None if path is None else load_audio(path, seconds)

    @cached_property
    def finder(self) -> FaceFinder:
        """The network that finds faces."""
        return open_finder(self.options.landmarker, report=self.bars.report)

    @cached_property
    def optional_finder(self) -> FaceFinder | None:
        """The same; None where it cannot be had and the face is boxed anyway."""
        try:
            return self.finder
        except FaceError:
            return None

    def find_portrait_face(self) -> Face:
        """Boxed or masked by hand, or the whole image; else found."""
        options, image = self.options, self.portrait_image
        height, width = image.shape[1:]
        if options.face_box == WHOLE_IMAGE:
            return Face(image_box(width, height), confidence=1.0)
        box: Box | None = options.face_box
        if box is None and options.face_mask is not None:
            box = box_of_mask(load_image(options.face_mask).mean(0), (height, width))
        if box is not None:
            return face_in_box(
                image, check_box(box, width, height, "portrait"), self.optional_finder
            )
        with advise(PORTRAIT_ADVICE):
            return find_face(self.finder, image, options.face, "portrait")

    def track_face(self, frames: Iterable[Tensor], source: str) -> Track:
        """One face through a video's frames (3, H, W)."""
        max_frames = self.options.frames
        return track_face(
            self.finder,
            islice(frames, max_frames),
            self.options.driving_face,
            source,
            lambda done: self.bars.report("Finding faces", done, max_frames),
            self.fps,
        )

    def read_mask(self, path: Path) -> Tensor:
        """The brightness of an image, or of a video's frames, as (f, 1, H, W) in 0…1."""
        if path.suffix.lower() not in VIDEOS:
            return load_image(path).mean(0)[None, None]
        frames = islice(VideoFrames(path, self.fps), self.options.frames)
        return torch.stack([frame.float().mean(0) / 255 for frame in frames])[:, None]


def draw_portrait(options: argparse.Namespace, reader: Reader, own_side_px: int) -> Portrait:
    """The portrait cut and scaled; its short side is the model's own unless `--size` says it."""
    return prepare_portrait(
        reader.portrait_image,
        reader.find_portrait_face(),
        options.size or own_side_px,
        expand=options.expand,
        aspect=options.aspect,
    )


def read_regions(options: argparse.Namespace, reader: Reader) -> RegionChoice:
    """Where each signal acts: a style, written parts, or masks."""
    frames = reader.read_frames(options.mask_clip)
    audio, expression = (
        reader.read_mask(region) if isinstance(region, Path) else region
        for region in (options.audio_mask, options.expression_mask)
    )
    track = None if frames is None else reader.track_face(frames, "mask clip")
    return RegionChoice(options.masks, audio, expression, options.grow_px, track)


def read_signals(options: argparse.Namespace) -> Signals:
    """Those saved before."""
    return Signals() if options.signals is None else load_signals(options.signals)


def add_text(options: argparse.Namespace, reader: Reader, signals: Signals) -> Signals:
    """The signals with the expression of `--text`, if there is one."""
    if options.text is None:
        return signals
    seconds = _choose_text_seconds(options, reader, signals)
    return replace(signals, expression=make_text_signal(options, seconds, reader.fps))


def encode_media(
    options: argparse.Namespace, reader: Reader, encoders: Encoders, signals: Signals
) -> Signals:
    """The signals of all media; of a kind that none gives, the one that there is."""
    head = reader.head
    return encode_signals(
        encoders,
        audio=reader.audio,
        driving=reader.driving,
        driving_face=reader.driving_face,
        head=head,
        head_box=None if head is None else reader.head_box(head),
        signals=signals,
        fps=reader.fps,
        max_frames=options.frames,
        audio_cut=options.audio_cut,
        report=reader.bars.report,
    )


def _choose_text_seconds(options: argparse.Namespace, reader: Reader, signals: Signals) -> float:
    """As long as the frames asked for, else as the audio, else a second after the last words."""
    if options.frames is not None:
        return float(options.frames / reader.fps)
    if reader.audio is not None:
        return reader.audio.seconds
    lengths = [signal.seconds for signal in signals.present.values()]
    return min(lengths, default=parse_prompt(options.text)[-1].seconds + 1)


def make_text_signal(options: argparse.Namespace, seconds: float, fps: float) -> ExpressionSignal:
    """`--text` with the bank that it is matched to."""
    if options.bank is None:
        raise InputError("--text needs --bank: build one with python -m actalker_core bank.")
    bank = load_bank(options.bank)
    return express_words(
        parse_prompt(options.text),
        bank,
        _choose_matcher(bank, options),
        seconds=seconds,
        rate_hz=fps,
        strength=options.strength,
    )


def _choose_matcher(bank: Bank, options: argparse.Namespace) -> Matcher:
    temperature: float | None = options.temperature
    if options.clip is None:
        return WordMatcher(bank) if bank.blendshapes is None else PresetMatcher(bank, temperature)
    return CLIPMatcher(bank, CLIPEncoder(options.clip), temperature)


def check_texts(options: argparse.Namespace) -> None:
    """Refuse texts that cannot be read before anything large is loaded."""
    for gate in (options.audio_gate, options.expression_gate):
        curves.check_curve(gate)
    for region in (options.audio_mask, options.expression_mask):
        if isinstance(region, str):
            parse_region(region)
    if options.text is not None:
        parse_prompt(options.text)
