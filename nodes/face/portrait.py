"""Portraits in, frames back into the image."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from comfy_api.latest import io
from numpy.typing import NDArray
from torch import Tensor

from ...actalker_core import limits
from ...actalker_core.control import regions
from ...actalker_core.control.boxes import parse_box
from ...actalker_core.errors import FaceError, check_choice
from ...actalker_core.faces import Box, Face, FaceFinder, choose_face, find_face
from ...actalker_core.faces.box import check_box, image_box
from ...actalker_core.faces.face import ORDERS, advise, box_of_mask, face_in_box, sort_faces
from ...actalker_core.faces.portrait import (
    DEFAULT_FEATHER_PX,
    Portrait,
    paste_back,
    prepare_portrait,
)
from ...actalker_core.text import check_text
from ..common import checks, convert, sockets
from ..common.defaults import ModelOwner, check_owner, get_face_scale, require_owner, to_option
from ..common.files import open_face_finder, open_landmarker
from ..common.node_text import warn
from ..common.previews import save_preview
from ..common.progress import Bar

INDEX, WHOLE_IMAGE = "index", "whole picture"
LANDMARK_CHOICES = (*ORDERS, INDEX)
FACE_CHOICES = (*LANDMARK_CHOICES, WHOLE_IMAGE)
FACE_INDEX = limits.Limits("face_index", 0, 99, integer=True)
PASTED_AT_ONCE = 8

BOX_ADVICE = (
    "Or drag a box around it on Prepare Portrait, or give that node face_box or face_mask, which "
    "also serve drawn and stylised faces."
)
WHOLE_ADVICE = f"Or set face to {WHOLE_IMAGE}, if it is a close-up."

FACE_TOOLTIP = (
    "Which face, if there are several. whole picture takes the image as it is, for faces "
    "that are not found."
)


def face_inputs(tooltip: str = FACE_TOOLTIP) -> list[Any]:
    """Which face is meant."""
    return _choice_inputs(FACE_CHOICES, tooltip)


def landmark_face_inputs(tooltip: str) -> list[Any]:
    """Which face is meant where it has to be found, as its landmarks are needed."""
    return _choice_inputs(LANDMARK_CHOICES, tooltip)


def _choice_inputs(choices: tuple[str, ...], tooltip: str) -> list[Any]:
    return [
        io.Combo.Input("face", options=list(choices), default=ORDERS[0], tooltip=tooltip),
        io.Int.Input(
            "face_index",
            default=0,
            **FACE_INDEX.widget,
            tooltip="For index: counted from the left.",
        ),
    ]


def face_box_input(tooltip: str) -> io.String.Input:
    """A face's box, written by hand."""
    return checks.with_check(
        io.String.Input("face_box", default="", optional=True, tooltip=tooltip),
        checks.or_blank(parse_box),
    )


class PreparePortrait(checks.Node):
    """IMAGE -> portrait, sized and cropped, with its face."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Prepare Portrait",
            "portrait",
            "Finds the face, crops if asked, and sizes the image for the model.",
            [
                io.Image.Input("image", tooltip="The image to animate; the first of a batch."),
                checks.with_check(
                    sockets.short_side_input("Shorter side of the result, in steps of 64."),
                    check_all=check_owner("Prepare Portrait", "short_side_px"),
                ),
                *face_inputs(),
                checks.with_check(
                    sockets.fraction_input(
                        "expand",
                        0.0,
                        0.0,
                        limits.EXPAND.maximum,
                        "Cut the face box enlarged so many times: 2 is a "
                        "close-up. 0 keeps the whole image.",
                        0.1,
                    ),
                    lambda value: to_option(value, limits.EXPAND, meaning="the whole image"),
                ),
                checks.with_check(
                    sockets.fraction_input(
                        "aspect",
                        0.0,
                        0.0,
                        limits.ASPECT.maximum,
                        "Width to height of what is cut. 0 keeps that of the "
                        "image, or square if the face is cut out.",
                    ),
                    lambda value: to_option(value, limits.ASPECT, meaning="the image's own"),
                ),
                io.Mask.Input(
                    "face_mask", optional=True, tooltip="The face in white, instead of finding it."
                ),
                face_box_input("x0,y0,x1,y1 in pixels, instead of finding it. Empty finds it."),
                sockets.encoders_input("size"),
            ],
            [
                sockets.Portrait.Output(
                    "portrait", tooltip="Image, face and crop, for all nodes that follow."
                ),
                io.Image.Output("prepared_image", tooltip="The portrait as it is animated."),
                io.Mask.Output("face_region", tooltip="The enlarged face box in it."),
                io.Int.Output("face_count", tooltip="How many faces were found."),
            ],
            aliases=[
                "crop face",
                "detect face",
                "face crop",
                "resize portrait",
                "portrait animation",
            ],
            hidden=[io.Hidden.unique_id],
            advanced=["face_index", "aspect", "face_box"],
        )

    @classmethod
    def execute(
        cls,
        image: Tensor,
        short_side_px: int,
        face: str,
        face_index: int,
        expand: float,
        aspect: float,
        face_mask: Tensor | None = None,
        face_box: str = "",
        encoders: ModelOwner | None = None,
    ) -> io.NodeOutput:
        """Find a face in the first image of (b, h, w, c), then crop and size it."""
        side_px = to_option(short_side_px, limits.SHORT_SIDE_PX)
        if side_px is None:
            owner = require_owner(encoders, "Prepare Portrait", "short_side_px")
            side_px = owner.config.sampling.short_side_px
        warnings = [] if encoders is None else encoders.list_warnings(short_side_px=side_px)
        pixels = convert.first_image(image)
        manual = manual_face(pixels, face, face_mask, face_box)
        size = (int(pixels.shape[1]), int(pixels.shape[2]))
        with advise(BOX_ADVICE):
            faces = open_face_finder().find(pixels) if manual is None else [manual]
            choice = face_choice(face, face_index)
            portrait_face = manual or choose_face(faces, choice, size, "image")
        portrait = prepare_portrait(
            pixels, portrait_face, side_px, expand=expand or None, aspect=aspect or None
        )
        region = regions.draw_region(
            "face", portrait.face, portrait.height, portrait.width, get_face_scale(encoders)
        )
        preview = convert.to_image(portrait.image[None])
        text = warn(cls, warnings)
        view = {**describe_faces(faces, size), "picture": save_preview(pixels)}
        return io.NodeOutput(
            portrait,
            preview,
            convert.to_mask(region),
            len(faces),
            ui={"actalker_faces": [view], "text": () if text is None else (text.value,)},
        )


def describe_faces(faces: Sequence[Face], size: tuple[int, int]) -> dict[str, Any]:
    """What the node's editor draws over an image: its faces, as `face_index` counts them.

    Args:
        size: height and width of the image.

    Returns:
        `size`, width and height; `boxes`, x0, y0, x1, y1 in pixels; `choices`, which of them each
        choice means.
    """
    from_left = sort_faces(faces)
    numbers = {id(face): number for number, face in enumerate(from_left)}
    choices = {
        order: numbers[id(choose_face(faces, order, size, "image"))]
        for order in (ORDERS if faces else ())
    }
    boxes = [[round(edge, 1) for edge in face.box] for face in from_left]
    return {"size": [size[1], size[0]], "boxes": boxes, "choices": choices}


def find_portrait_face(image: Tensor, face: str, index: int) -> Face:
    """The face of an image (3, h, w) that is meant.

    Raises:
        FaceError: none is found. InputError: an unknown choice.
    """
    manual = manual_face(image, face, None, "")
    with advise(WHOLE_ADVICE):
        return manual or find_face(open_face_finder(), image, face_choice(face, index), "image")


def check_landmark_face(face: str, index: int) -> str:
    """What the two widgets mean where landmarks are needed.

    Raises:
        InputError: an unknown choice.
    """
    check_choice("face", face, LANDMARK_CHOICES)
    return face_choice(face, index)


def find_landmarks(image: Tensor, face: str, index: int, name: str) -> NDArray[np.float32]:
    """The landmarks (478, 3) of the face of an image (3, h, w) that is meant.

    Args:
        name: of the image, for errors: `portrait`.

    Raises:
        CheckpointError: MediaPipe's landmarker is missing and cannot be fetched.
        FaceError: no face is found. InputError: an unknown choice.
    """
    choice = check_landmark_face(face, index)
    landmarks = find_face(open_landmarker(), image, choice, name).landmarks
    assert landmarks is not None  # the landmarker finds no face without them
    return landmarks


def face_choice(face: str, index: int) -> str:
    """What the two widgets mean, as the core names it."""
    return str(index) if face == INDEX else face


def manual_face(
    image: Tensor,
    face: str,
    mask: Tensor | None,
    box: str,
    open_finder: Callable[[], FaceFinder | None] | None = None,
) -> Face | None:
    """A face of an image (3, h, w) that need not be looked for: whole, masked (f, h, w), boxed.

    Args:
        open_finder: opens what finds its landmarks; None for the usual one.

    Raises:
        InputError: an unknown choice, or a box that cannot be read.
    """
    check_choice("face", face, FACE_CHOICES)
    size = (int(image.shape[1]), int(image.shape[2]))
    manual = manual_box(size, mask, box)
    if manual is not None:
        return face_in_box(image, manual, (open_finder or optional_face_finder)())
    return Face(image_box(size[1], size[0]), confidence=1.0) if face == WHOLE_IMAGE else None


def manual_box(size: tuple[int, int], mask: Tensor | None, box: str) -> Box | None:
    """A box drawn as a mask (f, h, w), or written by hand."""
    if check_text("Face box", box).strip():
        return check_box(parse_box(box), size[1], size[0], "image")
    mask_pixels = convert.from_mask(mask)
    return None if mask_pixels is None else box_of_mask(mask_pixels[0, 0], size)


def optional_face_finder() -> FaceFinder | None:
    """What finds faces, where boxes can do without."""
    try:
        return open_face_finder()
    except FaceError:
        return None


class PasteBack(checks.Node):
    """Frames -> the image that the portrait was cut from."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return sockets.schema(
            "Paste Back",
            "portrait",
            "Puts the frames back into the image that their portrait was cut from. Outside the "
            "crop and the mask every pixel stays as it is.",
            [
                sockets.frames_input("frames", "Of Decode, or a VIDEO of the portrait's size."),
                io.Image.Input("original", tooltip="The image that Prepare Portrait was given."),
                sockets.Portrait.Input("portrait", tooltip="Of Prepare Portrait."),
                io.Int.Input(
                    "feather_px",
                    default=DEFAULT_FEATHER_PX,
                    **limits.FEATHER_PX.widget,
                    tooltip="How softly the border blends in. "
                    f"{DEFAULT_FEATHER_PX} is usual, 0 is a hard edge.",
                ),
                io.Mask.Input(
                    "mask",
                    optional=True,
                    tooltip="Where frames may show: over image or portrait.",
                ),
            ],
            [io.Image.Output("pasted", tooltip="Frames of the image's size.")],
            aliases=["composite face", "stitch", "uncrop", "paste face"],
        )

    @classmethod
    def execute(
        cls,
        frames: object,
        original: Tensor,
        portrait: Portrait,
        feather_px: int,
        mask: Tensor | None = None,
    ) -> io.NodeOutput:
        """Frames into the first image of (b, h, w, c), where the mask (f, h, w) lets them."""
        clip, mask_pixels = convert.read_frames(frames, fps=1.0).images, convert.from_mask(mask)
        bar, images, done = Bar(len(clip)), [], 0
        chunks = iter(clip.split(PASTED_AT_ONCE))
        original_pixels = convert.first_image(original)
        for chunk in paste_back(chunks, original_pixels, portrait.crop, feather_px, mask_pixels):
            images.append(convert.to_image(chunk))
            done += len(chunk)
            bar.count(done)
        return io.NodeOutput(torch.cat(images))
