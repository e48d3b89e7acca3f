"""Regions drawn from the geometry of a face, and what the denoiser makes of them per frame."""

import re
from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
import pytest
import torch
from helpers.formula import filled
from helpers.tiny import TINY
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from actalker_core.control import regions
from actalker_core.control.regions import draw_region, draw_style_masks, grow_mask, overlap_share
from actalker_core.diffusion.loop import sample
from actalker_core.diffusion.schedules import karras_sigmas
from actalker_core.diffusion.windows import Windows
from actalker_core.errors import FaceError, InputError
from actalker_core.faces import Box, Face, topology
from actalker_core.models.actalker.conditioning import Conditioning, GatedCondition
from actalker_core.models.actalker.denoiser import Denoiser
from actalker_core.models.actalker.guidance import Guidance
from actalker_core.models.actalker.token_regions import Regions, TokenRegion
from actalker_core.models.actalker.unet.unet import UNet

SIZE = HEIGHT, WIDTH = 96, 80
BOX = (16.0, 14.0, 64.0, 78.0)

quickly = settings(max_examples=30, deadline=None)

# Faces -------------------------------------------------------------------------------------------

LIKELY = {
    "lips": (topology.LIPS, (0.5, 0.78), (0.18, 0.06)),
    "right eye": (topology.RIGHT_EYE, (0.3, 0.4), (0.11, 0.05)),
    "left eye": (topology.LEFT_EYE, (0.7, 0.4), (0.11, 0.05)),
    "right brow": (topology.RIGHT_BROW, (0.3, 0.27), (0.14, 0.04)),
    "left brow": (topology.LEFT_BROW, (0.7, 0.27), (0.14, 0.04)),
    "oval": (topology.OVAL, (0.5, 0.5), (0.5, 0.5)),
}
"""Points, centre and radii of each shape, as shares of the face box."""


def face_in(box: Box, *, with_landmarks: bool = True) -> Face:
    """A face whose shapes are ellipses."""
    if not with_landmarks:
        return Face(box, 1.0)
    shares = np.full((topology.COUNT, 2), 0.5)
    for points, centre, radii in LIKELY.values():
        turn = 2 * np.pi * np.arange(len(points)) / len(points)
        shares[list(points)] = np.array(centre) + np.array(radii) * np.stack(
            [np.sin(turn), -np.cos(turn)], axis=1
        )
    shares[topology.NOSE_TIP], shares[topology.NOSE_BASE] = (0.5, 0.56), (0.5, 0.62)
    corner, size = np.array(box[:2]), np.array([box[2] - box[0], box[3] - box[1]])
    xy = corner + shares * size
    return Face(box, 1.0, np.concatenate([xy, np.zeros((len(xy), 1))], axis=1).astype(np.float32))


def moved(box: Box, dx: float, dy: float) -> Box:
    return box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy


FULL, BARE = face_in(BOX), face_in(BOX, with_landmarks=False)
FACES = pytest.mark.parametrize("face", [FULL, BARE], ids=["landmarks", "bare"])
UNSHAPED = ["released", "face", "paper", "halves"]
SHAPED_PARTS = ["lips", "eyes", "brows", "oval"]
PARTS = ["all", "face", "mouth", "upper", "lower", *SHAPED_PARTS]

BOXES = st.builds(
    lambda x, y, w, h: (x, y, x + w, y + h),
    st.floats(-40, 70),
    st.floats(-40, 90),
    st.floats(8, 90),
    st.floats(8, 100),
)
LIKELY_FACES = st.builds(
    lambda x, y, w, ratio: face_in((x, y, x + w, y + ratio * w)),
    st.floats(-30, 60),
    st.floats(-30, 70),
    st.floats(20, 70),
    st.floats(1, 1.5),
)
ANY_FACES = st.builds(lambda box, full: face_in(box, with_landmarks=full), BOXES, st.booleans())


def drawn(text: str, faces: Face | Sequence[Face] = FULL) -> Tensor:
    return draw_region(text, faces, *SIZE)


def both(style: str, faces: Face | Sequence[Face]) -> tuple[Tensor, Tensor]:
    return draw_style_masks(style, faces, *SIZE, with_audio=True, with_expression=True)


def face_box(face: Face) -> Tensor:
    """The face box as the release draws it: 1.2 times as large, in whole pixels."""
    x0, y0, x1, y1 = face.box
    x, y, dx, dy = (x0 + x1) / 2, (y0 + y1) / 2, 1.2 * (x1 - x0) / 2, 1.2 * (y1 - y0) / 2
    left, top, right, bottom = (round(edge) for edge in (x - dx, y - dy, x + dx, y + dy))
    rows, columns = torch.arange(HEIGHT), torch.arange(WIDTH)
    inside = ((rows >= top) & (rows < bottom))[:, None] & ((columns >= left) & (columns < right))
    return inside[None, None].float()


def is_inside(a: Tensor, b: Tensor) -> bool:
    return bool((a <= b).all())


def is_apart(a: Tensor, b: Tensor) -> bool:
    return not bool(torch.minimum(a, b).any())


def middle_row(mask: Tensor) -> float:
    return mask[0, 0].nonzero()[:, 0].double().mean().item()


# Styles ------------------------------------------------------------------------------------------


@FACES
def test_as_released_both_signals_own_everything(face: Face) -> None:
    for mask in both("released", face):
        assert torch.equal(mask, torch.ones(1, 1, *SIZE))


@pytest.mark.parametrize("style", UNSHAPED)
@FACES
def test_one_signal_owns_the_enlarged_face_box(style: str, face: Face) -> None:
    for with_audio in (True, False):
        audio, expression = draw_style_masks(
            style, face, *SIZE, with_audio=with_audio, with_expression=not with_audio
        )
        owned, other = (audio, expression) if with_audio else (expression, audio)
        assert torch.equal(owned, face_box(face))
        assert torch.equal(other, torch.zeros(1, 1, *SIZE))


@pytest.mark.parametrize("style", regions.STYLES)
def test_no_signal_owns_nothing(style: str) -> None:
    found = draw_style_masks(style, FULL, *SIZE, with_audio=False, with_expression=False)
    assert [mask.shape for mask in found] == [(1, 1, *SIZE)] * 2
    assert not any(mask.any() for mask in found)


@pytest.mark.parametrize(("with_audio", "with_expression"), [(True, False), (False, True)])
def test_one_signal_owns_the_oval_where_shapes_are_asked(
    with_audio: bool, with_expression: bool
) -> None:
    audio, expression = draw_style_masks(
        "landmarks", FULL, *SIZE, with_audio=with_audio, with_expression=with_expression
    )
    assert torch.equal(audio, drawn("oval") * with_audio)
    assert torch.equal(expression, drawn("oval") * with_expression)


@quickly
@given(ANY_FACES)
def test_both_signals_may_own_the_face_box(face: Face) -> None:
    for mask in both("face", face):
        assert torch.equal(mask, face_box(face))


@quickly
@given(ANY_FACES)
def test_as_in_the_paper_the_mouth_and_the_rest_tile_the_face(face: Face) -> None:
    audio, expression = both("paper", face)
    assert is_apart(audio, expression)
    assert torch.equal(audio + expression, face_box(face))


@quickly
@given(ANY_FACES)
def test_halves_tile_the_face(face: Face) -> None:
    audio, expression = both("halves", face)
    assert is_apart(audio, expression)
    assert torch.equal(audio + expression, face_box(face))


@FACES
def test_the_mouth_lies_below_the_rest(face: Face) -> None:
    for style in ("paper", "halves"):
        audio, expression = both(style, face)
        assert middle_row(audio) > middle_row(expression) + 8


def test_halves_meet_at_the_nose() -> None:
    lower, upper = both("halves", FULL)
    tip = round(float(FULL.landmarks[topology.NOSE_TIP, 1]))
    assert not lower[:, :, :tip].any()
    assert not upper[:, :, tip:].any()


def test_the_box_of_the_mouth_holds_the_lips_and_neither_nose_nor_eyes() -> None:
    mouth = drawn("mouth")
    assert is_inside(drawn("lips"), mouth)
    assert is_apart(mouth, drawn("eyes+brows"))
    x, y = (int(v) for v in FULL.landmarks[topology.NOSE_TIP, :2])
    assert mouth[0, 0, y, x] == 0


@quickly
@given(LIKELY_FACES)
def test_lips_and_the_rest_of_the_oval_are_apart_and_make_it_whole(face: Face) -> None:
    lips, rest = both("landmarks", face)
    oval = drawn("oval", face)
    assert is_inside(drawn("lips", face), lips)
    assert is_inside(lips, oval)
    assert is_apart(lips, rest)
    assert torch.equal(lips + rest, oval)


@pytest.mark.parametrize("style", regions.STYLES)
@pytest.mark.parametrize("several", [False, True])
def test_masks_are_0_or_1_in_one_form(style: str, several: bool) -> None:
    faces = [FULL, FULL, face_in(moved(BOX, 5, 9))] if several else FULL
    for mask in both(style, faces):
        assert mask.shape == (len(faces) if isinstance(faces, list) else 1, 1, *SIZE)
        assert mask.dtype == torch.float32
        assert set(mask.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize("style", ["half", "", "Paper", "released "])
def test_an_unknown_style_is_refused(style: str) -> None:
    known = " or ".join(regions.STYLES)
    with pytest.raises(InputError, match=f"expected {known}, got '{style}'"):
        both(style, FULL)


# Landmarks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("faces", [BARE, [BARE], [FULL, BARE]], ids=["one", "clip", "some frames"])
@pytest.mark.parametrize("text", [*SHAPED_PARTS, "face-lips", "oval&mouth", "all+ eyes"])
def test_shapes_without_landmarks_name_the_file_that_is_missing(
    text: str, faces: Face | list[Face]
) -> None:
    with pytest.raises(FaceError, match=r"face_landmarker\.task"):
        drawn(text, faces)


@pytest.mark.parametrize(
    ("audio", "expression"), [(True, True), (True, False), (False, True)], ids=str
)
def test_the_style_of_shapes_without_landmarks_names_the_file_that_is_missing(
    audio: bool, expression: bool
) -> None:
    with pytest.raises(FaceError, match=r"face_landmarker\.task"):
        draw_style_masks("landmarks", BARE, *SIZE, with_audio=audio, with_expression=expression)


@pytest.mark.parametrize("part", SHAPED_PARTS)
def test_shapes_cover_their_points_and_the_area_of_their_ellipses(part: str) -> None:
    mask = drawn(part)[0, 0]
    shapes = [shape for name, shape in LIKELY.items() if part.rstrip("s") in name or part == name]
    area = outline = 0.0
    for points, _, (rx, ry) in shapes:
        area += np.pi * rx * 48 * ry * 64
        outline += np.pi * (rx * 48 + ry * 64)
        for x, y in FULL.landmarks[list(points), :2].round().astype(int):
            assert mask[y, min(x, WIDTH - 1)] == 1
    assert 0.9 * area - 4 < mask.sum() < area + outline


def test_shapes_lie_where_a_face_has_them() -> None:
    rows = [middle_row(drawn(part)) for part in ("brows", "eyes", "lips")]
    assert rows == sorted(rows)
    assert all(is_inside(drawn(part), drawn("oval")) for part in ("brows", "eyes", "lips"))
    assert is_inside(drawn("eyes+brows"), drawn("upper"))
    assert is_inside(drawn("lips"), drawn("lower"))
    assert is_inside(drawn("oval"), drawn("face"))


@pytest.mark.parametrize(("dx", "dy"), [(0, 4), (-6, 0), (4, -6), (30, 0), (-40, 20)])
@pytest.mark.parametrize("part", [part for part in PARTS if part != "all"])
def test_regions_follow_the_face(part: str, dx: int, dy: int) -> None:
    wide = torch.zeros(3 * HEIGHT, 3 * WIDTH)
    y, x = HEIGHT + dy, WIDTH + dx
    wide[y : y + HEIGHT, x : x + WIDTH] = drawn(part)[0, 0]
    want = wide[HEIGHT : 2 * HEIGHT, WIDTH : 2 * WIDTH]
    got = drawn(part, face_in(moved(BOX, dx, dy)))[0, 0]
    inner = slice(4, -4)  # OpenCV may round outlines otherwise where the border cuts them
    assert torch.equal(got[inner, inner], want[inner, inner])


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("shift", [(500.0, 0.0), (0.0, -500.0), (-500.0, 500.0)])
def test_a_face_outside_the_picture_has_no_region(part: str, shift: tuple[float, float]) -> None:
    mask = drawn(part, face_in(moved(BOX, *shift)))
    assert mask.any() == (part == "all")


# Algebra -----------------------------------------------------------------------------------------

NAMES = st.sampled_from(PARTS)
OPERATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "+": torch.logical_or,
    "-": lambda a, b: a & ~b,
    "&": torch.logical_and,
}


@quickly
@given(NAMES, NAMES)
def test_adding_removing_and_sharing_regions(a: str, b: str) -> None:
    one, other = drawn(a), drawn(b)
    assert is_inside(torch.maximum(one, other), drawn(f"{a}+{b}"))
    assert is_inside(drawn(f"{a}-{b}"), one)
    assert is_apart(drawn(f"{a}-{b}"), other)
    assert is_inside(drawn(f"{a}&{b}"), torch.minimum(one, other))
    assert torch.equal(drawn(f"{a}-{b}") + drawn(f"{a}&{b}"), one)


@quickly
@given(NAMES, st.lists(st.tuples(st.sampled_from("+-&"), NAMES), max_size=5), st.booleans())
def test_a_written_region_is_read_from_the_left(
    first: str, rest: list[tuple[str, str]], spaced: bool
) -> None:
    text = first + "".join(f" {sign}  {name}" if spaced else sign + name for sign, name in rest)
    want = reduce(
        lambda mask, step: OPERATIONS[step[0]](mask, drawn(step[1]).bool()),
        rest,
        drawn(first).bool(),
    )
    assert torch.equal(drawn(f" {text} "), want.float())


def test_the_order_of_operations_matters() -> None:
    assert not torch.equal(drawn("oval-lips+mouth"), drawn("oval+mouth-lips"))
    assert torch.equal(drawn("eyes+brows-eyes"), drawn("brows-eyes"))


@quickly
@given(
    st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4),
    st.lists(st.floats(0, 1, width=32), min_size=4, max_size=4),
)
def test_soft_masks_keep_the_algebra(a: list[float], b: list[float]) -> None:
    one, other = (torch.tensor(values).view(1, 1, 2, 2) for values in (a, b))
    assert is_inside(torch.maximum(one, other), regions.unite_masks(one, other))
    assert is_inside(regions.intersect_masks(one, other), torch.minimum(one, other))
    assert is_inside(regions.subtract_mask(one, other), one)
    assert not regions.subtract_mask(one, torch.ones_like(one)).any()
    assert torch.equal(regions.subtract_mask(one, torch.zeros_like(one)), one)


@pytest.mark.parametrize(
    "marked",
    [
        "|nose",
        "  |nose  ",
        "face+|nose",
        "lips & |Mouth - eyes",
        "|ears-face",
        "face&upper+ |left eye",
        "|face mouth",
        "face-|0.5+|x",
        "|lips,eyes",
        "|lips*eyes",
    ],
)
def test_an_unknown_part_is_shown_where_it_stands(marked: str) -> None:
    text, place = marked.replace("|", ""), marked.index("|") + 1
    said = rf"Region '{re.escape(text)}': expected all or .*oval.* at character {place}, got"
    with pytest.raises(InputError, match=said):
        drawn(text)


@pytest.mark.parametrize(
    "text", ["", " ", "+", "face+", "-face", "face++mouth", "lips & - eyes", "--", "face -"]
)
def test_a_region_with_a_part_missing_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=rf"Region '{re.escape(text)}': expected .* at character"):
        drawn(text)


def test_an_unknown_part_is_refused_before_landmarks_are_missed() -> None:
    with pytest.raises(InputError, match="at character 6"):
        drawn("lips+nose", BARE)


# Several faces -----------------------------------------------------------------------------------

TRACK = [face_in(moved(BOX, dx, dy)) for dx, dy in ((0, 0), (3, 1), (-9, 4), (50, 0))]


@pytest.mark.parametrize("text", [*PARTS, "oval-mouth", "face&upper+lips"])
def test_each_face_has_its_own_region(text: str) -> None:
    found = drawn(text, TRACK)
    assert torch.equal(found, torch.cat([drawn(text, face) for face in TRACK]))


@pytest.mark.parametrize("style", regions.STYLES)
@pytest.mark.parametrize("signals", [(True, True), (True, False), (False, True)], ids=str)
def test_each_face_has_its_own_masks(style: str, signals: tuple[bool, bool]) -> None:
    def found(faces: Face | Sequence[Face]) -> tuple[Tensor, Tensor]:
        return draw_style_masks(
            style, faces, *SIZE, with_audio=signals[0], with_expression=signals[1]
        )

    for i, mask in enumerate(found(TRACK)):
        assert torch.equal(mask, torch.cat([found(face)[i] for face in TRACK]))


@pytest.mark.parametrize("style", regions.STYLES)
def test_a_still_face_has_one_mask_repeated(style: str) -> None:
    for clip, single in zip(both(style, [FULL] * 5), both(style, FULL), strict=True):
        assert torch.equal(clip, single.expand(5, -1, -1, -1))


def test_lips_reach_further_on_the_face_of_their_own_frame() -> None:
    near, far = face_in((0, 0, 80, 96)), face_in((30, 30, 50, 55))
    for i in range(2):
        together = both("landmarks", [near, far])[i]
        assert torch.equal(together[1:], both("landmarks", far)[i])


# Growing -----------------------------------------------------------------------------------------


def scattered(seed: int, *, count: int = 2, soft: bool = False) -> Tensor:
    noise = torch.rand(count, 1, 14, 11, generator=torch.Generator().manual_seed(seed))
    return noise if soft else (noise > 0.8).float()


SEEDS, REACHES = st.integers(0, 10_000), st.integers(0, 6)


@quickly
@given(SEEDS, REACHES, st.booleans())
def test_grown_masks_contain_and_shrunk_ones_are_contained(
    seed: int, reach: int, soft: bool
) -> None:
    mask = scattered(seed, soft=soft)
    assert is_inside(mask, grow_mask(mask, reach))
    assert is_inside(grow_mask(mask, -reach), mask)
    assert is_inside(grow_mask(mask, reach), grow_mask(mask, reach + 1))
    assert grow_mask(mask, reach).shape == grow_mask(mask, -reach).shape == mask.shape
    assert grow_mask(mask, reach).max() <= 1
    assert grow_mask(mask, -reach).min() >= 0


@quickly
@given(SEEDS, REACHES)
def test_growing_is_shrinking_what_is_around(seed: int, reach: int) -> None:
    mask = scattered(seed)
    assert torch.equal(grow_mask(1 - mask, reach), 1 - grow_mask(mask, -reach))


def test_growing_by_nothing_changes_nothing() -> None:
    mask = scattered(1, soft=True)
    assert torch.equal(grow_mask(mask, 0), mask)


@pytest.mark.parametrize("reach", [1, 2, 5])
def test_growing_reaches_so_many_pixels_to_all_sides(reach: int) -> None:
    mask = torch.zeros(1, 1, 21, 21)
    mask[..., 10, 10] = 1
    grown = grow_mask(mask, reach)[0, 0]
    assert grown[10].nonzero().flatten().tolist() == list(range(10 - reach, 11 + reach))
    assert grown[:, 10].nonzero().flatten().tolist() == list(range(10 - reach, 11 + reach))
    assert grown.any(0).sum() == grown.any(1).sum() == 2 * reach + 1
    assert torch.equal(grown, grown.flip(0))


@pytest.mark.parametrize("reach", [3, -3])
def test_each_frame_grows_alone(reach: int) -> None:
    clip = scattered(3, count=4)
    alone = torch.cat([grow_mask(frame[None], reach) for frame in clip])
    assert torch.equal(grow_mask(clip, reach), alone)


@pytest.mark.parametrize("reach", [2, -2, 40, -40])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nothing_and_everything_stay_what_they_are(value: float, reach: int) -> None:
    mask = torch.full((1, 1, 9, 9), value)
    assert torch.equal(grow_mask(mask, reach), mask)


def test_views_grow_like_their_copies() -> None:
    mask = scattered(4)
    for view in (mask[:1].expand(3, -1, -1, -1), mask.transpose(2, 3), mask[..., ::2], mask > 0):
        assert torch.equal(grow_mask(view, 1), grow_mask(view.contiguous().float().clone(), 1))


# Overlap -----------------------------------------------------------------------------------------


@quickly
@given(SEEDS, SEEDS, st.booleans())
def test_the_share_of_two_masks_lies_in_0_to_1_either_way(one: int, other: int, soft: bool) -> None:
    a, b = scattered(one, soft=soft), scattered(other, count=1, soft=soft)
    share = overlap_share(a, b)
    assert 0 <= share <= 1
    assert overlap_share(b, a) == pytest.approx(share)
    assert overlap_share(a, a.clone()) == (1 if a.any() else 0)


@pytest.mark.parametrize("frames", [1, 7])
def test_the_share_is_never_above_1(frames: int) -> None:
    for rows in range(50, 80):
        soft = torch.rand(1, 1, rows, 37, generator=torch.Generator().manual_seed(rows))
        assert 0.9999 < overlap_share(soft, torch.ones(frames, 1, rows, 37)) <= 1


def test_the_share_is_of_the_smaller_mask() -> None:
    assert overlap_share(drawn("upper"), drawn("lower")) == 0
    assert overlap_share(drawn("lips"), drawn("oval")) == 1
    assert overlap_share(drawn("oval"), drawn("lips")) == 1
    assert overlap_share(drawn("all"), torch.zeros(1, 1, *SIZE)) == 0
    left, right = torch.zeros(2, 1, 1, 2, 8).unbind(0)
    left[..., :4], right[..., 3:] = 1, 1
    assert overlap_share(left, right) == pytest.approx(0.25)
    assert overlap_share(left.expand(3, -1, -1, -1), right) == pytest.approx(0.25)


# Per frame and for the clip ----------------------------------------------------------------------

FRAMES, GRID = 3, (8, 8)
CONFIG = TINY.unet
SMALL = (10.0, 8.0, 50.0, 58.0)


def same_tokens(clip: TokenRegion, per_frame: TokenRegion, rows: int) -> bool:
    if clip.token_idx is None or per_frame.token_idx is None:
        token_idx = clip.token_idx is per_frame.token_idx
    else:
        token_idx = torch.equal(per_frame.token_idx, clip.token_idx.expand(rows, -1))
    weights = torch.equal(per_frame.weight, clip.weight.expand(rows, -1, -1))
    return weights and token_idx and per_frame.pad_mask is None and clip.pad_mask is None


@quickly
@given(
    ANY_FACES,
    st.sampled_from(UNSHAPED),
    st.lists(st.integers(0, FRAMES - 1), min_size=1, max_size=5),
    st.integers(-3, 3),
)
def test_equal_masks_per_frame_give_the_tokens_of_the_clip(
    face: Face, style: str, frames: list[int], reach: int
) -> None:
    single = [grow_mask(mask, reach) for mask in both(style, face)]
    clip = [grow_mask(mask, reach) for mask in both(style, [face] * FRAMES)]
    one = Regions.from_masks(*single, (12, 10), 3).select(frames)
    several = Regions.from_masks(*clip, (12, 10), 3).select(frames)
    assert list(one.grids) == list(several.grids)
    for grid in one.grids:
        for a, b in zip(one.at(grid), several.at(grid), strict=True):
            assert same_tokens(a, b, len(frames))


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def branch(seed: int, tokens: int) -> GatedCondition:
    width = CONFIG.cross_attention_dim
    return GatedCondition(
        draw(seed, FRAMES, tokens, width), draw(99, 1, tokens, width), torch.ones(FRAMES)
    )


def conditioning(audio: Tensor, expression: Tensor) -> Conditioning:
    return Conditioning(
        image_latent=draw(1, 1, 4, *GRID),
        identity=draw(2, 1, 1, CONFIG.cross_attention_dim),
        audio=branch(3, 8),
        expression=branch(4, 1),
        regions=Regions.from_masks(audio, expression, GRID, CONFIG.levels),
        pose=draw(5, 1, 1, CONFIG.block_out_channels[0], *GRID),
        time_ids=torch.tensor([[12.5, 12.0, 20.0]]),
    )


@pytest.fixture(scope="module")
def unet() -> UNet:
    return filled(UNet(CONFIG), 7)


UNIT = Guidance((1.0, 1.0), (1.0, 1.0), (1.0, 1.0))


def latents(
    unet: UNet, audio: Tensor, expression: Tensor, windows: Windows, guidance: Guidance = UNIT
) -> Tensor:
    c = conditioning(audio, expression).padded(windows.padding)
    noise = 10 * draw(6, FRAMES + windows.padding, 4, *GRID)
    found = sample(Denoiser(unet, c), noise, karras_sigmas(2, 0.1, 10.0), guidance, windows)
    return found[:FRAMES]


def owned(style: str, frames: int | None = None) -> tuple[Tensor, Tensor]:
    faces = face_in(SMALL) if frames is None else [face_in(SMALL)] * frames
    return draw_style_masks(style, faces, 64, 64, with_audio=True, with_expression=True)


@pytest.mark.parametrize(
    ("style", "guidance"),
    [("paper", Guidance()), *((style, UNIT) for style in regions.STYLES if style != "paper")],
)
def test_equal_masks_per_frame_give_the_latents_of_the_clip(
    unet: UNet, style: str, guidance: Guidance
) -> None:
    want = latents(unet, *owned(style), Windows(), guidance)
    got = latents(unet, *owned(style, FRAMES), Windows(), guidance)
    assert (got - want).abs().max() < 1e-5


@pytest.mark.parametrize("mode", ["tight", "cyclic"])
def test_windows_take_the_masks_of_their_frames(unet: UNet, mode: str) -> None:
    windows = Windows(2, 0, 1, mode)
    want = latents(unet, *owned("paper"), windows)
    got = latents(unet, *owned("paper", FRAMES), windows)
    assert (got - want).abs().max() < 1e-5


@pytest.mark.parametrize("which", [0, 1], ids=["audio", "expression"])
def test_one_signal_may_have_masks_per_frame_and_the_other_one_for_the_clip(
    unet: UNet, which: int
) -> None:
    mixed = list(owned("paper"))
    mixed[which] = owned("paper", FRAMES)[which]
    want = latents(unet, *owned("paper"), Windows())
    assert (latents(unet, *mixed, Windows()) - want).abs().max() < 1e-5


def test_each_frame_reads_its_own_mask(unet: UNet) -> None:
    """With windows of one frame, a clip is as many clips of one frame."""
    frames = [face_in(moved(SMALL, 8 * i, 0)) for i in range(FRAMES)]
    both_act = {"with_audio": True, "with_expression": True}
    alone = Windows(1, 0, 0)
    together = latents(unet, *draw_style_masks("paper", frames, 64, 64, **both_act), alone)
    singles = [
        latents(unet, *draw_style_masks("paper", face, 64, 64, **both_act), alone)
        for face in frames
    ]
    for i, single in enumerate(singles):
        assert torch.allclose(together[i], single[i], rtol=1e-3, atol=1e-4)
    assert (together[1] - singles[0][1]).abs().max() > 1e-2
