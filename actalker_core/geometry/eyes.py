"""Draws eyes that look and blink: an eyeball without lids, and lids without lashes over it.

What a photograph shows of an eye is cut off by its lids and, of the white, by the iris. Both are
completed once per portrait, in the plane of the eye; a frame then puts the iris where it looks,
the lids where they are, and the lashes at their edge.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..faces.topology import LEFT_EYE, LEFT_IRIS, RIGHT_EYE, RIGHT_IRIS
from .eyeball import Eyeball, complete_eyeball
from .lids import Lid, clean_lid
from .planes import HeadPlane, PixelBox, blur, draw_polygon, sample_mask, sample_texture
from .pose import HeadPose
from .raster import Maps
from .warp import WarpMaps

Floats = NDArray[np.floating]

OUTLINES = ((LEFT_EYE, LEFT_IRIS), (RIGHT_EYE, RIGHT_IRIS))
"""Lower lid from the outer to the inner corner, upper lid back; and the iris. Left, then right."""
CLOSURE_FADE = 0.25
"""By which part of a blink the lid without lashes has taken the place of the photograph's."""
GAZE_FADE = 0.05
"""In half eye widths: by which change of gaze the completed eyeball has."""
LOWER_LID_SHARE = 0.14
"""How far the lower lid comes up to meet the upper one, as a share of the opening."""
LOWER_LID_LOOK = 0.2
"""Share of the iris's way up or down that the middle of the lower lid goes along."""
LID_BEND = np.sin(np.pi * np.arange(1, 8) / 8)
"""How far each vertex between the corners of an eye goes with the middle of its lid."""
MAX_OPENING = 1.6
"""Of the opening at rest."""
TALL = 0.95
"""In half eye widths: eyes that are taller at rest open less, those twice as tall no further."""
SHADOW, SHADOW_CM = 0.35, 0.22
"""How much darker the eyeball is right under the upper lid, and how deep that reaches."""


@dataclass(frozen=True)
class Eye:
    """One eye of a portrait, completed.

    Attributes:
        outline: its 16 landmarks.
        depth: of its plane, in centimetres of the head.
        corners: (16, 2) the lids at rest in that plane.
        half_width: from the middle to a corner, in centimetres.
        rim: how far the lids lie outside of what the eye shows at rest, in centimetres.
        eyeball: without lids.
        lid: the upper one, without lashes, and the lashes.
    """

    outline: tuple[int, ...]
    depth: float
    corners: Floats
    half_width: float
    rim: float
    eyeball: Eyeball
    lid: Lid


def complete_eyes(
    image: NDArray[np.uint8], vertices: Floats, pose: HeadPose, rim: float = 0.0
) -> tuple[Eye, Eye]:
    """The left and the right eye of an image (H, W, 3), with its landmarks (478, 3) in the head.

    Args:
        rim: how far the outlines lie outside of what the eyes show, in centimetres.
    """
    left, right = (_complete_eye(image, vertices, pose, rim, *outline) for outline in OUTLINES)
    return left, right


def _complete_eye(
    image: NDArray[np.uint8],
    vertices: Floats,
    pose: HeadPose,
    rim: float,
    outline: tuple[int, ...],
    iris: int,
) -> Eye:
    lids = vertices[list(outline)]
    depth = float(lids[:, 2].mean())
    plane = HeadPlane.at_depth(pose, depth)
    corners = project_to_plane(lids, pose, plane)
    half_width = max(float(np.linalg.norm(corners[0] - corners[8])) / 2, 1e-3)
    disc = project_to_plane(vertices[iris : iris + 5], pose, plane)
    scale = float(pose.scale)
    eyeball = complete_eyeball(image, plane, corners, disc, half_width, scale, rim)
    lid = clean_lid(image, plane, corners, half_width, scale)
    return Eye(outline, depth, corners, half_width, rim, eyeball, lid)


def project_to_plane(vertices: Floats, pose: HeadPose, plane: HeadPlane) -> Floats:
    """(n, 3) of the head -> (n, 2): where a plane shows them, as seen in the image."""
    pixels = pose.scale * vertices @ pose.rotation[:2].T + pose.translation[:2]
    return plane.from_image(np.asarray(pixels))


def move_lids(vertices: Floats, openings: Floats, looks: Floats) -> Floats:
    """(468, 3) -> (468, 3) with the lids at shares of their opening: 0 shut, 1 as they are.

    The lids meet near the lower one, as real ones do; a share of 0 leaves no gap at all.

    Args:
        openings: (2,) of the left and the right eye.
        looks: (2,) how far they look up, in half eye widths; the lower lids go along.
    """
    result = vertices.copy()
    for (outline, _), opening, look in zip(OUTLINES, openings, looks, strict=True):
        lower, upper = list(outline[1:8]), list(outline[15:8:-1])
        gap = vertices[upper] - vertices[lower]
        half_width = float(np.linalg.norm(vertices[outline[0]] - vertices[outline[8]])) / 2
        share = float(np.clip(opening, 0, MAX_OPENING))
        if share > 1:
            tallness = float(np.linalg.norm(gap, axis=1).max()) / max(half_width, 1e-6)
            share = 1 + (share - 1) * float(np.clip(2 - tallness / TALL, 0, 1))
        base = vertices[lower] + gap * (LOWER_LID_SHARE * max(1 - share, 0))
        # The corners stay; between them the lid bends.
        base[:, 1] -= LOWER_LID_LOOK * half_width * float(look) * LID_BEND
        result[lower] = base
        result[upper] = base + gap * share
    return np.asarray(result)


def draw_eye(
    frame: NDArray[np.uint8],
    invented_mask: NDArray[np.uint8],
    eye: Eye,
    lids: Floats,
    pose: HeadPose,
    gaze: Sequence[float],
    closure: float,
    opening_change: float,
    warp: WarpMaps | None,
) -> None:
    """Draw one eye into a frame (H, W, 3), and what is made up of it into `invented_mask` (H, W).

    Args:
        lids: (16, 3) where the rig has put them, in centimetres of the head.
        pose: of the head now.
        gaze: to the image's right and up, in half eye widths from rest.
        closure: 0 open … 1 shut.
        opening_change: how far the lids are from rest, in openings.
        warp: from where the frame was sampled; None for its own places.
    """
    strength = _smooth(math.hypot(*gaze) / GAZE_FADE)
    lid_strength = _smooth(closure / CLOSURE_FADE)
    presence = max(strength, _smooth(abs(opening_change) / 0.1))
    if presence <= 0:
        return
    plane, scale = HeadPlane.at_depth(pose, eye.depth), float(pose.scale)
    corners = project_to_plane(lids, pose, plane)
    opening = _take_off_rim(corners, eye)
    rim = plane.to_image(np.concatenate([corners, eye.corners]))
    box = PixelBox.around(rim, 0.6 * eye.half_width * scale + 2, frame.shape[:2])
    if box is None:
        return
    patch = frame[box.slices].astype(np.float32)
    if lid_strength > 0 and warp is not None:
        patch = _smooth_lid(patch, eye.lid, lid_strength, warp.crop(box))
    x, y = plane.pixel_grid(box)
    upper = curve(corners[UPPER], x)
    alpha = blur(draw_polygon(plane.to_image(opening), box), 0.6)
    # Of a shut eye the outline is a line, which would still be drawn.
    opening_px = float(np.abs(opening[1:8, 1] - opening[15:8:-1, 1]).max()) * scale
    alpha = alpha * np.float32(presence * _smooth((opening_px - 0.4) / 1.2))
    ball = _draw_eyeball(eye, x, y, gaze, strength)
    ball *= _shade(y - upper) / _shade(y - curve(eye.corners[UPPER], x))
    patch += (ball - patch) * alpha[..., None]
    if lid_strength > 0:
        patch *= 1 + (eye.lid.darkness(x, upper - y, closure) - 1) * lid_strength
    frame[box.slices] = np.clip(np.rint(patch), 0, 255).astype(np.uint8)

    invented_share = alpha if strength > 0 or opening_change > 0 else 0 * alpha
    if lid_strength > 0:
        shut = draw_polygon(plane.to_image(eye.corners), box) * (1 - alpha)
        invented_share = np.maximum(invented_share, shut * lid_strength)
    region = invented_mask[box.slices]
    np.maximum(region, np.rint(invented_share * 255).astype(np.uint8), out=region)


UPPER = [8, 9, 10, 11, 12, 13, 14, 15, 0]
"""Of an outline: the upper lid with both corners."""


def curve(points: Floats, x: NDArray[np.floating]) -> NDArray[np.float32]:
    """(h, w) the y of a line through points (n, 2) at each x (h, w); level beyond its ends."""
    order = np.argsort(points[:, 0])
    return np.asarray(np.interp(x, points[order, 0], points[order, 1]), np.float32)


def _take_off_rim(corners: Floats, eye: Eye) -> Floats:
    """(16, 2) lids in the plane of an eye -> the outline of what it shows between them."""
    if eye.rim <= 0:
        return corners
    result = corners.copy()
    lower, upper = corners[1:8], corners[15:8:-1]
    gaps = np.abs(eye.corners[1:8, 1:] - eye.corners[15:8:-1, 1:])
    # The rim gets thinner as the lids close, as all does that lies between them.
    shares = np.minimum(eye.rim / np.maximum(gaps, 1e-3), 0.5)
    result[1:8] = lower + (upper - lower) * shares
    result[15:8:-1] = upper + (lower - upper) * shares
    inwards = (corners[8] - corners[0]) * min(eye.rim / (2 * eye.half_width), 0.5)
    result[[0, 8]] = corners[[0, 8]] + [inwards, -inwards]
    return np.asarray(result)


def _draw_eyeball(
    eye: Eye, x: Floats, y: Floats, gaze: Sequence[float], strength: float
) -> NDArray[np.float32]:
    """(h, w, 3) the eyeball at places of its plane (h, w)."""
    right, up = (eye.half_width * look for look in gaze)
    ball = eye.eyeball
    still = ball.sample(ball.rest, x, y)
    if strength <= 0:
        return still
    disc = ball.sample(ball.iris, x - right, y + up)
    share = ball.iris_share(x - right, y + up)[..., None]
    white = ball.sample(ball.white, x, y)
    moving_ball = white + (disc - white) * share
    return np.asarray(still + (moving_ball - still) * strength)


def _smooth_lid(
    patch: NDArray[np.float32],
    lid: Lid,
    strength: float,
    maps: Maps,
) -> NDArray[np.float32]:
    """(h, w, 3) a patch of the frame with the lashes taken off the lid."""
    x, y = maps[0] - lid.box.left, maps[1] - lid.box.top
    share = sample_mask(lid.share, x, y) * strength
    return np.asarray(patch + (sample_texture(lid.skin, x, y) - patch) * share)


def _shade(depth: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w, 1) how much light reaches the eyeball this many centimetres under the upper lid."""
    light = 1 - SHADOW * np.exp(-np.maximum(depth, 0) / SHADOW_CM)
    return np.asarray(light[..., None], np.float32)


def _smooth(x: float) -> float:
    x = min(max(float(x), 0.0), 1.0)
    return x * x * (3 - 2 * x)
