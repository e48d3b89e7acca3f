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
from ..faces.box import check_box
from ..faces.face import box_of_mask, face_in_box, find_first_face
from ..media import Audio, VideoFrames, load_audio, load_image
from ..models.actalker.encoders.audio import required_seconds
from ..models.actalker.networks import ACTalker
from ..models.actalker.pipeline import Inputs, Settings
from .progress import Bars
from .types import WHOLE

log = logging.getLogger(__name__)

VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif", ".m4v")


class Reader:
    """Reads the media that options name, and finds their faces; a finder is opened when needed."""

    def __init__(self, options: argparse.Namespace, fps: float, bars: Bars) -> None:
        self.options, self.fps, self.bars = options, fps, bars

    def inputs(self) -> Inputs:
        """All of them."""
        options = self.options
        portrait = load_image(options.portrait)
        return replace(
            self.signal_inputs(),
            portrait=portrait,
            face=self.portrait_face(portrait),
            mask_track=self.mask_track(),
            sound=self.sound(options.sound),
            audio_mask=self.mask(options.audio_mask),
            expression_mask=self.mask(options.expression_mask),
        )

    def signal_inputs(self) -> Inputs:
        """What signals are made of; there is no portrait."""
        options = self.options
        driving, head = self.frames(options.driving), self.frames(options.head)
        loaded = Signals() if options.signals is None else load_signals(options.signals)
        return Inputs(
            portrait=torch.empty(0),
            audio=self.sound(options.audio),
            driving=driving,
            driving_face=None if driving is None else self.driving_face(driving),
            head=head,
            head_box=None if head is None else self.head_box(head),
            signals=loaded,
        )

    def frames(self, path: Path | None) -> VideoFrames | None:
        """A clip at the frame rate that is worked with."""
        return None if path is None else VideoFrames(path, self.fps)

    def sound(self, path: Path | None) -> Audio | None:
        """As much of a sound as the frames asked for need."""
        most = self.options.frames
        seconds = None if most is None else required_seconds(most / self.fps)
        return None if path is None else load_audio(path, seconds)

    @cached_property
    def finder(self) -> FaceFinder:
        """What finds faces."""
        return open_finder(self.options.landmarker)

    @cached_property
    def optional_finder(self) -> FaceFinder | None:
        """The same where faces can do without."""
        try:
            return self.finder
        except FaceError:
            return None

    def portrait_face(self, portrait: Tensor) -> Face | None:
        """Boxed or masked by hand, else found; None for the whole picture."""
        options, (height, width) = self.options, portrait.shape[1:]
        if options.face_box == WHOLE:
            return None
        box: Box | None = options.face_box
        if box is None and options.face_mask is not None:
            box = box_of_mask(load_image(options.face_mask).mean(0), (height, width))
        if box is not None:
            return face_in_box(
                portrait, check_box(box, width, height, "portrait"), self.optional_finder
            )
        return find_face(self.finder, portrait, options.face, "portrait")

    def driving_face(self, frames: VideoFrames) -> Track | Box | None:
        """Boxed by hand, else followed; None for whole frames."""
        box: Box | None = self.options.driving_box
        if box is not None:
            return None if box == WHOLE else box
        return self.tracked(frames, "driving clip")

    def head_box(self, frames: VideoFrames) -> Box | None:
        """Boxed by hand, else found in the first frame that shows a face; None for whole ones."""
        box: Box | None = self.options.head_box
        if box is not None:
            return None if box == WHOLE else box
        return find_first_face(self.finder, frames, self.options.driving_face, "head clip").box

    def tracked(self, frames: Iterable[Tensor], where: str) -> Track:
        """One face through a clip."""
        most = self.options.frames
        return track_face(
            self.finder,
            islice(frames, most),
            self.options.driving_face,
            where,
            lambda done: self.bars.report("Finding faces", done, most),
            self.fps,
        )

    def mask(self, region: Path | str | None) -> Tensor | None:
        """The brightness of a picture or of a clip's frames as (n, 1, H, W)."""
        if not isinstance(region, Path):
            return None
        if region.suffix.lower() not in VIDEOS:
            return load_image(region).mean(0)[None, None]
        most = self.options.frames
        frames = [frame.float().mean(0) / 255 for frame in islice(self.frames(region) or (), most)]
        return torch.stack(frames)[:, None]

    def mask_track(self) -> Track | None:
        """The face that per-frame regions follow."""
        frames = self.frames(self.options.mask_clip)
        return None if frames is None else self.tracked(frames, "mask clip")


def with_text(
    inputs: Inputs, options: argparse.Namespace, model: ACTalker, settings: Settings
) -> Inputs:
    """The inputs with the expression that `--text` asks for."""
    if options.text is None:
        return inputs
    fps = settings.fps or model.config.sampling.fps
    seconds = _text_seconds(inputs, options, fps)
    signals = replace(inputs.signals, expression=text_signal(options, seconds, fps))
    return replace(inputs, signals=signals)


def _text_seconds(inputs: Inputs, options: argparse.Namespace, fps: float) -> float:
    """As long as the audio, else as the frames asked for, else a second after the last words."""
    if options.frames is not None:
        return float(options.frames / fps)
    if inputs.audio is not None:
        return inputs.audio.seconds
    lengths = [signal.seconds for signal in inputs.signals.present.values()]
    return min(lengths, default=parse_prompt(options.text)[-1].seconds + 1)


def text_signal(options: argparse.Namespace, seconds: float, fps: float) -> ExpressionSignal:
    """`--text` with the bank that it is matched to."""
    if options.bank is None:
        raise InputError("--text needs --bank: build one with python -m actalker_core bank.")
    bank = load_bank(options.bank)
    return express_words(
        parse_prompt(options.text),
        bank,
        _matcher(bank, options),
        seconds=seconds,
        rate_hz=fps,
        strength=options.strength,
    )


def _matcher(bank: Bank, options: argparse.Namespace) -> Matcher:
    chosen = {} if options.temperature is None else {"temperature": options.temperature}
    if options.clip is None:
        return WordMatcher(bank) if bank.blendshapes is None else PresetMatcher(bank, **chosen)
    return CLIPMatcher(bank, CLIPEncoder(options.clip), **chosen)


def check_written(options: argparse.Namespace) -> None:
    """Refuse texts that cannot be read before anything large is loaded."""
    for gate in (options.audio_gate, options.expression_gate):
        curves.check_curve(gate)
    for region in (options.audio_mask, options.expression_mask):
        if isinstance(region, str):
            parse_region(region)
    if options.text is not None:
        parse_prompt(options.text)
