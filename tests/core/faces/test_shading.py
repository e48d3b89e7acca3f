"""Drawn faces are told from photographs by how their brightness changes."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import pytest
import torch
from helpers.drawn_faces import make_face
from helpers.lights import LIGHTS
from helpers.portraits import full_face, image_size, noise
from helpers.recorded_faces import TASK, needs_model
from torch import Tensor

from actalker_core.errors import InputError
from actalker_core.faces import Face, open_landmarker
from actalker_core.faces.face import face_in_box
from actalker_core.faces.landmarker import Landmarker
from actalker_core.faces.portrait import Portrait, prepare_portrait
from actalker_core.faces.shading import measure_shading
from actalker_core.media import load_image
from actalker_core.models.actalker.config import VARIANTS
from actalker_core.models.actalker.pipeline import generate
from actalker_core.models.actalker.portrait import MAX_SHADING, check_portrait
from actalker_core.synthetic import demo

HOPPER = Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")
HOPPER_FACE = (178.0, 80.0, 345.0, 290.0)
SEEDS = range(demo.SEED, demo.SEED + 40)


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("expand", [None, 1.0, 2.0])
def test_drawn_faces_are_taken(light: str, expand: float | None) -> None:
    for seed in SEEDS:
        image = LIGHTS[light](demo.render_portrait(seed))
        portrait = prepare_portrait(image, Face(demo.locate_face(seed), 1.0), 128, expand=expand)
        check_portrait(VARIANTS["built-in"], portrait, "")


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("expand", [None, 1.2, 2.0])
def test_a_photograph_is_refused_with_the_way_out(light: str, expand: float | None) -> None:
    image = LIGHTS[light](load_image(HOPPER))
    portrait = prepare_portrait(image, Face(HOPPER_FACE, 1.0), 128, expand=expand)
    with pytest.raises(InputError, match=r"Animate Photo.*released weights.*Or so."):
        check_portrait(VARIANTS["built-in"], portrait, "Or so.")
    check_portrait(VARIANTS["released"], portrait, "")


@pytest.fixture(scope="module")
def landmarker() -> Landmarker:
    return open_landmarker(TASK)


def take_whole(image: Tensor) -> Portrait:
    """A portrait whose face nobody looked for."""
    return prepare_portrait(image, full_face(*image_size(image)), 128)


@needs_model
@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("left", [0, 12])
def test_whole_images_of_drawn_faces_are_taken(
    landmarker: Landmarker, light: str, left: int
) -> None:
    for seed in SEEDS[::2]:
        portrait = take_whole(LIGHTS[light](demo.render_portrait(seed)[:, left:, left:]))
        check_portrait(VARIANTS["built-in"], portrait, "", lambda: landmarker)


@needs_model
@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("margin_px", [0, 40, 80])
def test_a_whole_photograph_is_refused_by_its_face(
    landmarker: Landmarker, light: str, margin_px: int
) -> None:
    x0, y0, x1, y1 = (int(edge) for edge in HOPPER_FACE)
    image = LIGHTS[light](load_image(HOPPER))
    cut = image[:, y0 - margin_px : y1 + margin_px, x0 - margin_px : x1 + margin_px]
    for portrait in (take_whole(image), take_whole(cut)):
        with pytest.raises(InputError, match="Animate Photo"):
            check_portrait(VARIANTS["built-in"], portrait, "", lambda: landmarker)


@needs_model
def test_a_photograph_in_a_wide_box_by_hand_is_refused_by_its_face(landmarker: Landmarker) -> None:
    image = load_image(HOPPER)
    box = (10.0, 10.0, 500.0, 590.0)
    portrait = prepare_portrait(image, face_in_box(image, box, landmarker), 128)
    assert measure_shading(portrait.image, portrait.face.box) < MAX_SHADING
    with pytest.raises(InputError, match="Animate Photo"):
        check_portrait(VARIANTS["built-in"], portrait, "")


def test_nothing_is_opened_where_the_model_knows_photographs_or_no_box_is_wide() -> None:
    def open_finder() -> None:
        raise AssertionError("not needed")

    check_portrait(VARIANTS["released"], take_whole(load_image(HOPPER)), "", open_finder)
    image = demo.render_portrait()
    face = make_face(demo.locate_face())
    check_portrait(VARIANTS["built-in"], prepare_portrait(image, face, 128), "", open_finder)


def test_without_a_finder_the_box_is_measured() -> None:
    portrait = prepare_portrait(load_image(HOPPER), Face(HOPPER_FACE, 1.0), 128)
    with pytest.raises(InputError, match="Animate Photo"):
        check_portrait(VARIANTS["built-in"], portrait, "", lambda: None)


def test_the_python_api_refuses_a_photograph_before_anything_is_computed() -> None:
    portrait = prepare_portrait(load_image(HOPPER), Face(HOPPER_FACE, 1.0), 128)
    model: Any = SimpleNamespace(config=VARIANTS["built-in"])
    plan: Any = SimpleNamespace(portrait=portrait)
    with pytest.raises(InputError, match=r"Animate Photo.*allow_photograph=True"):
        generate(model, plan)
    with pytest.raises(AttributeError):  # it goes on to the networks, which are not there
        generate(model, plan, allow_photograph=True)


def test_light_does_not_change_the_measure() -> None:
    image = load_image(HOPPER)
    usual = measure_shading(image, HOPPER_FACE)
    assert usual > 1.2 * MAX_SHADING
    for light in ("dark", "gamma", "warm"):
        assert measure_shading(LIGHTS[light](image), HOPPER_FACE) == pytest.approx(usual, abs=0.1)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("box", [(-50.0, -50.0, 5.0, 5.0), (120.0, 120.0, 300.0, 300.0)])
def test_a_box_at_the_border_is_measured(box: tuple[float, float, float, float], seed: int) -> None:
    assert 0 < measure_shading(noise(seed, 3, 128, 128), box) <= 2


def test_a_flat_image_has_no_shading() -> None:
    assert measure_shading(torch.full((3, 64, 64), 0.5), (0.0, 0.0, 64.0, 64.0)) == 0
