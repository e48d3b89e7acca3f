"""Who owns which part of the image."""

from collections.abc import Sequence

from comfy_api.latest import io
from torch import Tensor

from ...actalker_core import limits
from ...actalker_core.control import regions
from ...actalker_core.errors import InputError, check_choice
from ...actalker_core.faces import Face, Track
from ...actalker_core.faces.portrait import Portrait, faces_in_portrait, resize_mask
from ...actalker_core.text import check_text
from ..common import convert, sockets
from ..common.defaults import ModelOwner, get_face_scale

BOTH_SIGNALS, AUDIO_ONLY, EXPRESSION_ONLY = "audio and expression", "audio only", "expression only"
SIGNALS = (BOTH_SIGNALS, AUDIO_ONLY, EXPRESSION_ONLY)


class RegionMasks(io.ComfyNode):
    """Portrait -> audio mask, expression mask."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        parts = ", ".join(regions.PARTS)
        return sockets.schema(
            "Region Masks",
            "control",
            "Gives each signal its part of the face. Where two regions overlap, both act.",
            [
                sockets.Portrait.Input("portrait", tooltip="Of Prepare Portrait."),
                io.Combo.Input(
                    "style",
                    options=list(regions.STYLES),
                    default=regions.DEFAULT_STYLE,
                    tooltip="released: everything for both. face: the face box for both. paper: a "
                    "box around the mouth, and the rest of the face. halves: below and above the "
                    "nose. landmarks: the lips' shape, and the rest of the face's oval.",
                ),
                io.Combo.Input(
                    "signals",
                    options=list(SIGNALS),
                    tooltip="A single signal owns the whole face; the other one's mask is empty.",
                ),
                io.Int.Input(
                    "grow_px",
                    default=0,
                    **limits.GROW_PX.widget,
                    tooltip="How far the regions reach further, in pixels of the portrait; "
                    "below 0 they shrink. 0 leaves them. Own masks stay as they are.",
                ),
                io.String.Input(
                    "audio_region",
                    default="",
                    optional=True,
                    tooltip=f"Instead of the style: parts joined by + (and), - (without), & (where "
                    f"both): {parts}. Example: lips, or lower&oval. Empty takes the style.",
                ),
                io.String.Input(
                    "expression_region",
                    default="",
                    optional=True,
                    tooltip="The same for the expression. Example: eyes+brows, or oval-lips.",
                ),
                io.Mask.Input(
                    "own_audio_mask",
                    optional=True,
                    tooltip="Any MASK over the image or the prepared portrait, instead of the "
                    "above; one, or one per frame.",
                ),
                io.Mask.Input(
                    "own_expression_mask", optional=True, tooltip="The same for the expression."
                ),
                sockets.Track.Input(
                    "face_track",
                    optional=True,
                    tooltip="Regions that follow the face of a clip framed as the result, one mask "
                    "per frame: its size is that of the portrait, its signal_fps the video's fps.",
                ),
                sockets.encoders_input("size of the face box"),
            ],
            [
                io.Mask.Output("audio_mask", tooltip="For Conditioning."),
                io.Mask.Output("expression_mask", tooltip="For Conditioning."),
                io.Float.Output(
                    "overlap_share", tooltip="How much of the smaller region lies in the other."
                ),
            ],
            aliases=["face mask", "mouth mask", "lips mask", "eyes mask", "face parts"],
            advanced=["grow_px", "audio_region", "expression_region"],
        )

    @classmethod
    def execute(
        cls,
        portrait: Portrait,
        style: str,
        signals: str,
        grow_px: int,
        audio_region: str = "",
        expression_region: str = "",
        own_audio_mask: Tensor | None = None,
        own_expression_mask: Tensor | None = None,
        face_track: Track | None = None,
        encoders: ModelOwner | None = None,
    ) -> io.NodeOutput:
        """Style, then written regions, then drawn ones (f, h, w)."""
        check_choice("signals", signals, SIGNALS)
        face_scale = get_face_scale(encoders)
        faces = portrait.face if face_track is None else faces_in_portrait(face_track, portrait)
        style_masks = regions.draw_style_masks(
            style,
            faces,
            portrait.height,
            portrait.width,
            with_audio=signals != EXPRESSION_ONLY,
            with_expression=signals != AUDIO_ONLY,
            face_scale=face_scale,
        )
        texts = (audio_region, expression_region)
        hand_masks = (own_audio_mask, own_expression_mask)
        audio, expression = (
            _region(portrait, faces, mask, text, hand_mask, grow_px, face_scale)
            for mask, text, hand_mask in zip(style_masks, texts, hand_masks, strict=True)
        )
        if len(audio) != len(expression) and 1 not in (len(audio), len(expression)):
            raise InputError(
                f"Region Masks: expected one mask or one per frame of the same clip, got "
                f"{len(audio)} for the audio and {len(expression)} for the expression. Give both "
                "the same number."
            )
        share = regions.overlap_share(audio, expression)
        return io.NodeOutput(convert.to_mask(audio), convert.to_mask(expression), share)


def _region(
    portrait: Portrait,
    faces: Face | Sequence[Face],
    style_mask: Tensor,
    text: str,
    hand_mask: Tensor | None,
    grow_px: int,
    face_scale: float,
) -> Tensor:
    mask = convert.from_mask(hand_mask)
    if mask is not None:
        return resize_mask(mask, portrait.crop)
    if check_text("Region", text).strip():
        style_mask = regions.draw_region(text, faces, portrait.height, portrait.width, face_scale)
    return regions.grow_mask(style_mask, grow_px)
