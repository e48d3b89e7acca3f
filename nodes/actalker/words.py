"""Expression in words."""

from collections.abc import Iterator

from comfy_api.latest import io
from torch import Tensor

from ...actalker_core import limits
from ...actalker_core.control.signals import DrivingSignal, ExpressionSignal
from ...actalker_core.control.words.bank import Bank, Reference, build_bank, extract_bank
from ...actalker_core.control.words.clip import CLIPEncoder
from ...actalker_core.control.words.matchers import CLIPMatcher, Matcher, PresetMatcher, WordMatcher
from ...actalker_core.control.words.prompt import (
    check_duration,
    check_emotions,
    express_words,
    parse_prompt,
)
from ...actalker_core.errors import InputError, check_choice
from ...actalker_core.faces import Box, Face, FaceFinder, SearchDepth
from ...actalker_core.faces.box import image_box
from ...actalker_core.faces.face import advise
from ...actalker_core.models.actalker.encoders.motion import encode_expression
from ...actalker_core.text import check_text
from ..common import checks, convert, files, sockets
from ..common.defaults import check_owner, require_owner, to_option
from ..common.progress import Bar
from ..face.portrait import WHOLE_ADVICE, WHOLE_IMAGE
from .bridge.load import EncoderBox

FIND = "find"
WORDS, CLIP, BLENDSHAPES = "words", "CLIP", "blendshapes"
MATCHES = (WORDS, CLIP, BLENDSHAPES)


class WholeImageFinder:
    """Takes every image for one face."""

    def find(self, image: Tensor, depth: SearchDepth = "all") -> list[Face]:
        """One face as large as the image (3, h, w)."""
        height, width = image.shape[1:]
        return [Face(image_box(width, height), confidence=1.0)]

    def find_near(self, image: Tensor, box: Box) -> Face | None:
        """As `find` does."""
        return self.find(image)[0]


class ExpressionBank(checks.Node):
    """Images of faces -> a bank of expressions."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Expression Bank",
            "words",
            "Reference expressions that words choose from: a batch of face images.",
            [
                sockets.Encoders.Input("encoders", tooltip="Of Load Model."),
                io.Image.Input("images", tooltip="One face in each."),
                checks.with_check(
                    io.String.Input(
                        "captions",
                        default="",
                        multiline=True,
                        tooltip="What each image expresses, one line per image. May be empty if "
                        "CLIP or blendshapes match.",
                    ),
                    _split_captions,
                ),
                io.Combo.Input(
                    "face",
                    options=[FIND, WHOLE_IMAGE],
                    tooltip="find the largest face; whole picture takes all of each image, for "
                    "faces that are not found.",
                ),
                io.Combo.Input(
                    "clip_folder",
                    options=files.list_folders(),
                    tooltip="A CLIP model of transformers below models/actalker, so that any text "
                    "can be matched to the images. none does without.",
                ),
            ],
            [sockets.Bank.Output("bank", tooltip="For Text Expression.")],
            aliases=["emotion library", "expression library", "reference faces"],
            advanced=["clip_folder"],
        )

    @classmethod
    def execute(
        cls, encoders: EncoderBox, images: Tensor, captions: str, face: str, clip_folder: str
    ) -> io.NodeOutput:
        """A reference for each image of (b, h, w, c)."""
        pixels = convert.from_image(images)
        bar = Bar(len(pixels))
        encoder = encoders.load().expression_encoder
        with advise(WHOLE_ADVICE):
            bank = build_bank(
                _references(pixels, captions),
                lambda crops, boxes: encode_expression(encoder, crops, boxes, rate_hz=1.0).features,
                _finder(face),
                _clip(clip_folder),
                bar.count,
            )
        return io.NodeOutput(bank)


def _split_captions(text: str) -> list[str]:
    """Its lines.

    Raises:
        InputError: one of them is empty.
    """
    lines = [line.strip() for line in check_text("Captions", text).strip().splitlines()]
    blank = [str(i) for i, line in enumerate(lines, start=1) if not line]
    if blank:
        raise InputError(
            f"Expression Bank: expected a caption in each line, got none in {', '.join(blank)}. "
            "Caption all images, or none."
        )
    return lines


def _references(images: Tensor, captions: str) -> Iterator[Reference]:
    lines = _split_captions(captions)
    if lines and len(lines) != len(images):
        raise InputError(
            f"Expression Bank: expected {len(images)} captions, one line per image, got "
            f"{len(lines)}. Add or remove lines, or leave all out."
        )
    names = lines or [f"image {i}" for i in range(len(images))]
    return (
        Reference(name, image, name if lines else "")
        for name, image in zip(names, images, strict=True)
    )


def _finder(face: str) -> FaceFinder:
    check_choice("face", face, (FIND, WHOLE_IMAGE))
    return WholeImageFinder() if face == WHOLE_IMAGE else files.open_face_finder()


def _clip(folder: str) -> CLIPEncoder | None:
    return None if folder == files.NO_FILE else CLIPEncoder(files.model_path(folder))


class BankOfSignal(checks.Node):
    """Moments of an expression signal -> a bank."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Bank Of Signal",
            "words",
            "Reference expressions that words choose from: moments of a driving clip.",
            [
                sockets.ExpressionSignal.Input("expression_signal", tooltip="Of Encode Motion."),
                checks.with_check(
                    io.String.Input(
                        "moments",
                        default="0s: neutral; 1s: joyful",
                        tooltip="What is expressed when: seconds: words; a semicolon between.",
                    ),
                    parse_prompt,
                ),
            ],
            [sockets.Bank.Output("bank", tooltip="For Text Expression.")],
            aliases=["emotion library", "expression library", "moments of a clip"],
        )

    @classmethod
    def execute(cls, expression_signal: DrivingSignal, moments: str) -> io.NodeOutput:
        signal = convert.check_signal(expression_signal, ExpressionSignal, "expression_signal")
        if signal is None:
            raise InputError(
                "Bank Of Signal: expected an expression signal, got none. Load Signals gives an "
                "empty output for a kind that its file does not hold: choose another file."
            )
        captions = {moment.seconds: moment.text for moment in parse_prompt(moments)}
        return io.NodeOutput(extract_bank(signal, captions))


class TextExpression(checks.Node):
    """Words over time -> expression signal."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Text Expression",
            "words",
            "Drives the expression by words over time, chosen from a bank.",
            [
                sockets.Bank.Input("bank", tooltip="Of Expression Bank or Bank Of Signal."),
                checks.with_check(
                    io.String.Input(
                        "text",
                        default="0s: neutral; 2s: joyful",
                        multiline=True,
                        tooltip="One expression, or several over time: 0s: neutral; 2s: joyful.",
                    ),
                    parse_prompt,
                    check_all=_check_emotions,
                ),
                checks.with_check(
                    sockets.fraction_input(
                        "seconds",
                        4.0,
                        limits.SECONDS.minimum,
                        limits.SECONDS.maximum,
                        "How long; at least as long as the video.",
                    ),
                    check_all=_check_duration,
                ),
                sockets.fraction_input(
                    "strength",
                    1.0,
                    0.0,
                    3.0,
                    "0 is neutral, 1 the expression as it is in the bank, more exaggerates.",
                ),
                checks.with_check(
                    sockets.fps_input(
                        "signal_fps", "Values per second; those of the video suffice."
                    ),
                    check_all=check_owner("Text Expression", "signal_fps"),
                ),
                io.Combo.Input(
                    "match_by",
                    options=list(MATCHES),
                    tooltip="words: the bank's own captions and their synonyms. CLIP: any text, "
                    "with clip_folder. blendshapes: common emotions, with MediaPipe's landmarker.",
                ),
                checks.with_check(
                    io.Combo.Input(
                        "clip_folder",
                        options=files.list_folders(),
                        tooltip="Only for CLIP: the one that the bank was built with; any, if it "
                        "has captions.",
                    ),
                    check_all=_check_clip,
                ),
                sockets.fraction_input(
                    "temperature",
                    0.0,
                    0.0,
                    2.0,
                    "Lower chooses fewer entries of the bank; words do not use it. 0: the "
                    "matcher's own.",
                ),
                sockets.encoders_input("frame rate"),
            ],
            [sockets.ExpressionSignal.Output("expression_signal", tooltip="For Conditioning.")],
            aliases=["emotion", "expression prompt", "text to expression", "facial expression"],
            advanced=["signal_fps", "clip_folder", "temperature"],
        )

    @classmethod
    def execute(
        cls,
        bank: Bank,
        text: str,
        seconds: float,
        strength: float,
        signal_fps: float,
        match_by: str,
        clip_folder: str,
        temperature: float,
        encoders: EncoderBox | None = None,
    ) -> io.NodeOutput:
        rate_hz = to_option(signal_fps, limits.FPS)
        if rate_hz is None:
            rate_hz = require_owner(encoders, "Text Expression", "signal_fps").config.sampling.fps
        matcher = _matcher(bank, match_by, clip_folder, temperature or None)
        moments = parse_prompt(text)
        return io.NodeOutput(
            express_words(
                moments, bank, matcher, seconds=seconds, rate_hz=rate_hz, strength=strength
            )
        )


def _check_emotions(values: checks.Values) -> None:
    """Of all words, where blendshapes stand for them."""
    text = values.get("text")
    if text is not None and values.get("match_by") == BLENDSHAPES:
        check_emotions(text)


def _check_duration(values: checks.Values) -> None:
    """At the rate that is typed; that of a model always gives some values."""
    seconds, rate_hz = values.get("seconds"), values.get("signal_fps")
    if limits.SECONDS.contains(seconds) and limits.FPS.contains(rate_hz):
        check_duration(float(seconds), float(rate_hz))  # type: ignore[arg-type]


def _check_clip(values: checks.Values) -> None:
    if values.get("match_by") == CLIP and values.get("clip_folder") == files.NO_FILE:
        raise InputError(
            "Text Expression: CLIP needs clip_folder: put a CLIPModel folder of transformers below "
            "models/actalker and choose it."
        )


def _matcher(bank: Bank, match_by: str, clip_folder: str, temperature: float | None) -> Matcher:
    check_choice("match_by", match_by, MATCHES)
    if match_by == WORDS:
        return WordMatcher(bank)
    if match_by == BLENDSHAPES:
        return PresetMatcher(bank, temperature)
    _check_clip({"match_by": match_by, "clip_folder": clip_folder})
    clip = _clip(clip_folder)
    assert clip is not None  # else it were refused
    return CLIPMatcher(bank, clip, temperature)
