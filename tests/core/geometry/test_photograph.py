"""What a photograph that moves must keep, whatever it shows."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from helpers.photographs import landmarks_of, make_numbers, make_photograph, mesh, paint_noise, rig
from helpers.recorded_faces import needs_model
from hypothesis import given, settings
from hypothesis import strategies as st

from actalker_core.errors import InputError
from actalker_core.geometry import rings
from actalker_core.geometry.deform import LIPS
from actalker_core.geometry.mouth import MouthPixels, lip_gap
from actalker_core.geometry.numbers import FrameNumbers
from actalker_core.geometry.photograph import Photograph
from actalker_core.geometry.planes import PixelBox
from actalker_core.geometry.rings import LID_PAIRS, LIP_PAIRS

pytestmark = needs_model
quick = settings(max_examples=15, deadline=None)
SOME_NUMBERS = [
    make_numbers(yaw=20),
    make_numbers(pitch=-15, roll=10, jawOpen=0.7),
    make_numbers(eyeBlink=1, gaze=(0.3, -0.2), move=(0.1, -0.05)),
    make_numbers(scale=1.1, mouthSmile=0.8, eyeBlinkLeft=0.5),
]


@pytest.fixture(scope="module")
def photograph() -> Photograph:
    return make_photograph()


def render(photograph, **numbers):
    return photograph.render(make_numbers(**numbers))


def test_at_rest_it_is_the_photograph(photograph):
    frame = photograph.render(FrameNumbers.rest())
    assert (frame.image == photograph.image).all()
    assert not frame.invented_mask.any()


@pytest.mark.parametrize("share", [1e-2, 1e-3, 1e-4])
def test_it_leaves_rest_without_a_jump(photograph, share):
    numbers = make_numbers(
        yaw=20 * share,
        jawOpen=share,
        eyeBlink=share,
        gaze=(0.5 * share, 0),
        mouthSmile=share,
        scale=1 + share / 10,
    )
    change = np.abs(photograph.render(numbers).image.astype(int) - photograph.image)
    assert change.mean() < 40 * share + 1e-9
    assert change.max() < 255 * 20 * share + 1.01


@pytest.mark.parametrize("numbers", SOME_NUMBERS)
def test_pixels_out_of_reach_are_the_photograph_bit_for_bit(numbers):
    photograph = make_photograph(600, 700, 80, (300, 260))
    frame = photograph.render(numbers)
    outside = np.ones(frame.invented_mask.shape, bool)
    outside[photograph.box.slices] = False
    assert outside.mean() > 0.4
    assert (frame.image[outside] == photograph.image[outside]).all()
    assert not frame.invented_mask[outside].any()
    assert (frame.image != photograph.image).any()


@quick
@given(st.integers(-6, 6), st.integers(-6, 6))
def test_a_face_that_moves_by_whole_pixels_stays_the_same(photograph, right, down):
    frame = render(photograph, move=(right / photograph.face_width, down / photograph.face_width))
    inner = np.s_[90:140, 100:150]
    target = np.s_[90 + down : 140 + down, 100 + right : 150 + right]
    change = np.abs(frame.image[target].astype(int) - photograph.image[inner])
    assert change.max() <= 3  # places are rounded to 1/32 of a pixel


@pytest.mark.parametrize("numbers", SOME_NUMBERS)
def test_the_same_numbers_give_the_same_frame(photograph, numbers):
    a, b = photograph.render(numbers), make_photograph().render(numbers)
    assert (a.image == b.image).all()
    assert (a.invented_mask == b.invented_mask).all()


def test_frames_in_threads_are_those_in_a_row(photograph):
    numbers = SOME_NUMBERS * 4
    rows = [photograph.render(n).image for n in numbers]
    with ThreadPoolExecutor(2) as pool:
        threads = [frame.image for frame in pool.map(photograph.render, numbers)]
    assert all((a == b).all() for a, b in zip(rows, threads, strict=True))


def test_half_the_numbers_move_the_vertices_half(photograph):
    numbers = {"jawOpen": 0.4, "mouthSmile": 0.5, "browInnerUp": 0.6, "eyeBlink": 0.5}
    full, half = (
        photograph.move(make_numbers(**{k: share * v for k, v in numbers.items()}))
        - photograph.vertices
        for share in (1, 0.5)
    )
    assert np.abs(full).max() > 0.2
    assert np.abs(half - full / 2).max() < 0.12 * np.abs(full).max()


@pytest.mark.parametrize("lip_mode", ["relative", "absolute"])
@quick
@given(st.integers(0, 10_000))
def test_lips_and_lids_never_cross(photograph, lip_mode, seed):
    rng = np.random.default_rng(seed)
    rest = FrameNumbers.rest()
    shapes = np.append(0, rng.uniform(-1, 1, 51))
    numbers = FrameNumbers(shapes, rest.rotation_degrees, rest.translation, rest.scale, rest.gaze)
    vertices = photograph.move(numbers, lip_mode)
    for upper, lower in (*LIP_PAIRS, *LID_PAIRS[0], *LID_PAIRS[1]):
        assert vertices[lower, 1] >= vertices[upper, 1] - 1e-6


def test_what_is_invented_covers_the_mouth_and_shut_lids(photograph):
    frame = render(photograph, jawOpen=1)
    mouth = photograph.render(make_numbers(jawOpen=1)).invented_mask
    assert mouth.max() == 255
    shut = render(photograph, eyeBlink=1)
    wink = render(photograph, eyeBlinkLeft=1)
    assert 0 < (wink.invented_mask > 0).sum() < (shut.invented_mask > 0).sum()
    assert (frame.invented_mask > 0).mean() < 0.05


def test_what_is_drawn_out_is_invented(photograph):
    frame = render(photograph, move=(0.6, 0))
    assert (frame.invented_mask == 255).sum() > 200


@pytest.mark.parametrize("gap_cm", [0.0, 0.2, 0.7], ids=["shut", "parted", "open"])
def test_teeth_do_not_pop(gap_cm):
    """A mouth that opens evenly changes evenly, whatever it showed at rest."""
    face = mesh()
    landmarks = landmarks_of(face, (128, 110), 90)
    scale = 90 / np.ptp(face.vertices[:, 0])
    for upper, lower in LIP_PAIRS:
        landmarks[lower, 1] = landmarks[upper, 1] + gap_cm * scale
    photograph = Photograph(paint_noise(240, 256), landmarks, face, rig())
    frames = [
        render(photograph, jawOpen=share).image.astype(float) for share in np.linspace(0, 0.6, 61)
    ]
    steps = [np.abs(b - a).mean() for a, b in pairwise(frames)]
    assert max(steps) < 6 * np.mean(steps)


def test_a_blink_closes_evenly(photograph):
    """The more of a blink, the less is left between the lids."""
    gaps = []
    for share in np.linspace(0, 1, 21):
        vertices = photograph.move(make_numbers(eyeBlink=share))
        gaps.append(np.mean([vertices[b, 1] - vertices[a, 1] for a, b in LID_PAIRS[0]]))
    assert (np.diff(gaps) < 0).all()
    assert gaps[-1] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("up", [-0.4, -0.2, 0.2, 0.4])
def test_lids_go_along_with_an_iris(photograph, up):
    """The upper one about 60 % of its way, the lower one less, and corners not at all."""
    half_width = np.ptp(photograph.vertices[list(rings.LEFT_EYE), 0]) / 2
    change = photograph.move(make_numbers(gaze=(0, up))) - photograph.vertices
    upper, lower = LID_PAIRS[0][3]
    lid, lower_lid = (-change[vertex, 1] / (up * half_width) for vertex in (upper, lower))
    assert 0.45 < lid < 0.75
    assert 0.1 < lower_lid < 0.3
    assert not change[list(rings.EYE_CORNERS[0])].any()


def test_a_smile_is_smiled_only_once():
    face = mesh()
    landmarks = landmarks_of(face, (128, 110), 90)
    numbers = make_numbers(mouthSmile=0.9)
    changes = []
    for smile in (0, 0.5, 0.9):
        blendshapes = make_numbers(mouthSmile=smile).blendshapes
        photograph = Photograph(paint_noise(240, 256), landmarks, face, rig(), blendshapes)
        changes.append(np.abs(photograph.move(numbers) - photograph.vertices).max())
    assert changes[0] > changes[1] > 2 * changes[2]


def test_absolute_lips_shut_an_open_mouth():
    face = mesh()
    landmarks = landmarks_of(face, (128, 110), 90)
    for upper, lower in LIP_PAIRS:
        landmarks[lower, 1] = landmarks[upper, 1] + 4
    photograph = Photograph(paint_noise(240, 256), landmarks, face, rig())
    gaps = [lip_gap(photograph.move(FrameNumbers.rest(), lips)) for lips in LIPS]
    assert gaps[0] > 0.3
    assert gaps[1] < 0.2 * gaps[0]


def test_a_drivers_mouth_shows_the_drivers_pixels(photograph):
    face = mesh()
    green = np.zeros((200, 200, 3), np.uint8) + np.array([10, 200, 10], np.uint8)
    driver = MouthPixels(green, landmarks_of(face, (100, 90), 80))
    frame = photograph.render(make_numbers(jawOpen=1), mouth=driver)
    inside = frame.invented_mask == 255
    colours = frame.image[inside].astype(float).mean(0)
    assert inside.sum() > 30
    assert colours[1] > 2 * colours[[0, 2]].max()


@pytest.mark.parametrize(
    ("size", "face_width", "centre"),
    [
        ((64, 64), 24, (32, 30)),
        ((64, 700), 30, (600, 30)),
        ((240, 256), 150, (20, 110)),
        ((240, 256), 150, (128, -10)),
        ((240, 256), 400, (128, 120)),
        ((100, 80), 9, (40, 40)),
    ],
    ids=["64 pixels", "wide", "cut at the side", "cut at the top", "fills", "tiny face"],
)
def test_any_size_and_faces_cut_by_the_border(size, face_width, centre):
    photograph = make_photograph(*size, face_width, centre)
    assert (photograph.render(FrameNumbers.rest()).image == photograph.image).all()
    for numbers in SOME_NUMBERS:
        frame = photograph.render(numbers)
        assert frame.image.shape == photograph.image.shape


@pytest.mark.parametrize("yaw", [-85, -60, -40, 40, 60, 85])
def test_a_profile_rests_and_moves(yaw):
    photograph = make_photograph(rotation=(0, yaw, 0))
    assert (photograph.render(FrameNumbers.rest()).image == photograph.image).all()
    change = np.abs(render(photograph, yaw=-np.sign(yaw) * 2).image.astype(int) - photograph.image)
    assert 0 < change.mean() < 25


@pytest.mark.parametrize("degrees", [(180, 0, 0), (0, 180, 0), (0, 90, 0), (90, 90, 180)])
def test_no_turn_is_too_far_to_draw(photograph, degrees):
    frame = render(photograph, pitch=degrees[0], yaw=degrees[1], roll=degrees[2])
    assert frame.image.shape == photograph.image.shape


def test_a_large_picture_costs_what_its_face_costs():
    photograph = make_photograph(image=np.zeros((2000, 10_000, 3), np.uint8), centre=(9000, 900))
    height, width = photograph.box.shape
    assert height * width < 700 * 700
    assert isinstance(photograph.box, PixelBox)
    frame = render(photograph, yaw=10)
    assert frame.image.shape == (2000, 10_000, 3)


def test_a_grey_picture_stays_grey():
    image = np.repeat(paint_noise(240, 256)[..., :1], 3, axis=-1)
    frame = make_photograph(image=image).render(
        make_numbers(yaw=10, jawOpen=1, eyeBlink=0.5, gaze=(0.3, 0))
    )
    assert (np.ptp(frame.image.astype(int), axis=-1)).max() <= 12


def test_what_is_no_photograph_is_refused():
    face = mesh()
    landmarks = landmarks_of(face, (50, 50), 40)
    for image in (np.zeros((99, 99), np.uint8), np.zeros((99, 99, 3)), np.zeros((99, 99, 4), "u1")):
        with pytest.raises(InputError, match=r"\(H, W, 3\)"):
            Photograph(image, landmarks, face)
    image = np.zeros((99, 99, 3), np.uint8)
    with pytest.raises(InputError, match="outside"):
        Photograph(image, landmarks + np.array([5000, 0, 0]), face)
    with pytest.raises(InputError, match="NaN"):
        Photograph(image, landmarks * np.nan, face)
    with pytest.raises(InputError, match="Lips"):
        Photograph(image, landmarks, face).render(FrameNumbers.rest(), lips="open")


def test_what_a_clip_shows_beyond_its_blendshapes_saturates_too():
    """A smiling photograph does not smile twice by the detail of a smile either."""
    face = mesh()
    landmarks = landmarks_of(face, (128, 110), 90)
    smile = make_numbers(mouthSmile=0.9)
    detail = 0.5 * rig().displace(smile.blendshapes)
    changes = []
    for at_rest in (0, 0.9):
        blendshapes = make_numbers(mouthSmile=at_rest).blendshapes
        photograph = Photograph(paint_noise(240, 256), landmarks, face, rig(), blendshapes)
        plain, with_detail = (
            photograph.move(replace(smile, detail=value)) for value in (None, detail)
        )
        changes.append(np.abs(with_detail - plain).max())
    assert changes[0] > 0.3
    assert changes[1] < 0.5 * changes[0]
