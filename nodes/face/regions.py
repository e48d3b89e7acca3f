"""Who owns which part of the image."""

from collections.abc import Sequence
from typing import Any

from comfy_api.latest import io
from torch import Tensor

from ...actalker_core import limits
from ...actalker_core.control import regions
from ...actalker_core.control.drawing import (
    apply_drawing,
    outline_mask,
    parse_drawing,
    write_drawing,
)
from ...actalker_core.errors import InputError, check_choice
from ...actalker_core.faces import Face, Track
from ...actalker_core.faces.portrait import Crop, Portrait, faces_in_portrait, resize_mask
from ...actalker_core.text import check_text
from ..common import checks, convert, sockets
from ..common.defaults import ModelOwner, get_face_scale
from ..common.previews import save_preview

BOTH_SIGNALS, AUDIO_ONLY, EXPRESSION_ONLY = "audio and expression", "audio only", "expression only"
SIGNALS = (BOTH_SIGNALS, AUDIO_ONLY, EXPRESSION_ONLY)


class RegionMasks(checks.Node):
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
                checks.with_check(
                    io.String.Input(
                        "audio_region",
                        default="",
                        optional=True,
                        tooltip=f"Instead of the style: parts joined by + (and), - (without), & "
                        f"(where both): {parts}. Example: lips, or lower&oval. Empty takes the "
                        "style.",
                    ),
                    checks.or_blank(regions.parse_region),
                ),
                checks.with_check(
                    io.String.Input(
                        "expression_region",
                        default="",
                        optional=True,
                        tooltip="The same for the expression. Example: eyes+brows, or oval-lips.",
                    ),
                    checks.or_blank(regions.parse_region),
                ),
                io.Mask.Input(
                    "own_audio_mask",
                    optional=True,
                    tooltip="Any MASK over the image or the prepared portrait, instead of the "
                    "above; one, or one per frame. Of another size it is scaled.",
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
                checks.with_check(
                    io.String.Input(
                        "audio_drawing",
                        default="",
                        optional=True,
                        tooltip="What is drawn on the node over the audio's region, whichever it "
                        "is: polygon 0.3,0.6 0.7,0.6 0.5,0.9; erase brush 0.02 0.4,0.7; empty "
                        "takes all away. In shares of the image's width and height.",
                    ),
                    parse_drawing,
                ),
                checks.with_check(
                    io.String.Input(
                        "expression_drawing",
                        default="",
                        optional=True,
                        tooltip="The same for the expression.",
                    ),
                    parse_drawing,
                ),
            ],
            [
                io.Mask.Output("audio_mask", tooltip="For Conditioning."),
                io.Mask.Output("expression_mask", tooltip="For Conditioning."),
                io.Float.Output(
                    "overlap_share", tooltip="How much of the smaller region lies in the other."
                ),
            ],
            aliases=["face mask", "mouth mask", "lips mask", "eyes mask", "face parts"],
            advanced=[
                *("grow_px", "audio_region", "expression_region"),
                *("audio_drawing", "expression_drawing"),
            ],
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
        audio_drawing: str = "",
        expression_drawing: str = "",
    ) -> io.NodeOutput:
        """Style, then written regions, then masks (f, h, w), and over them what is drawn."""
        drawings = [parse_drawing(text) for text in (audio_drawing, expression_drawing)]
        faces = portrait.face if face_track is None else faces_in_portrait(face_track, portrait)
        areas = find_regions(
            faces,
            portrait.crop,
            style,
            signals,
            grow_px,
            (audio_region, expression_region),
            (own_audio_mask, own_expression_mask),
            get_face_scale(encoders),
        )
        audio, expression = (
            apply_drawing(area, drawing, portrait.crop)
            for area, drawing in zip(areas, drawings, strict=True)
        )
        if len(audio) != len(expression) and 1 not in (len(audio), len(expression)):
            raise InputError(
                f"Region Masks: expected one mask or one per frame of the same clip, got "
                f"{len(audio)} for the audio and {len(expression)} for the expression. Give both "
                "the same number."
            )
        share = regions.overlap_share(audio, expression)
        view = describe_regions(areas, portrait.crop)
        view["picture"], view["picture_box"] = save_preview(portrait.image), view["box"]
        return io.NodeOutput(
            convert.to_mask(audio),
            convert.to_mask(expression),
            share,
            ui={"actalker_regions": [view]},
        )


def find_regions(
    faces: Face | Sequence[Face],
    crop: Crop,
    style: str,
    signals: str,
    grow_px: int,
    texts: tuple[str, str],
    own_masks: tuple[Tensor | None, Tensor | None] = (None, None),
    face_scale: float = regions.FACE_SCALE,
) -> list[Tensor]:
    """The regions (f, 1, H, W) of audio and expression, without what is drawn over them.

    Args:
        faces: of the portrait that `crop` cuts, one or one per frame.
        own_masks: (f, h, w) each, instead of all else.

    Raises:
        InputError: says what cannot be used. FaceError: a part needs landmarks.
    """
    check_choice("signals", signals, SIGNALS)
    style_masks = regions.draw_style_masks(
        style,
        faces,
        *crop.shape,
        with_audio=signals != EXPRESSION_ONLY,
        with_expression=signals != AUDIO_ONLY,
        face_scale=face_scale,
    )
    return [
        _find_region(crop, faces, mask, text, own_mask, grow_px, face_scale)
        for mask, text, own_mask in zip(style_masks, texts, own_masks, strict=True)
    ]


def _find_region(
    crop: Crop,
    faces: Face | Sequence[Face],
    style_mask: Tensor,
    text: str,
    own_mask: Tensor | None,
    grow_px: int,
    face_scale: float,
) -> Tensor:
    mask = convert.from_mask(own_mask)
    if mask is not None:
        return resize_mask(mask, crop)
    if check_text("Region", text).strip():
        style_mask = regions.draw_region(text, faces, *crop.shape, face_scale)
    return regions.grow_mask(style_mask, grow_px)


def describe_regions(areas: Sequence[Tensor], crop: Crop) -> dict[str, Any]:
    """What the node's editor draws: both regions (f, 1, H, W), as they are in the first frame.

    Boxes are x0, y0, x1, y1 in shares of the image, regions are texts of `control.drawing`.
    """
    (height, width), (left, top, right, bottom) = crop.source_shape, crop.box
    audio, expression = (write_drawing(outline_mask(area[0, 0], crop)) for area in areas)
    return {
        "box": [left / width, top / height, right / width, bottom / height],
        "size": [crop.shape[1], crop.shape[0]],
        "audio": audio,
        "expression": expression,
    }
