"""Faces and regions are known before a graph runs, and as the graph will have them."""

import json
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from helpers.group_picture import write_group
from helpers.host import Comfy
from helpers.recorded_faces import needs_model
from helpers.routes import JSON, Client
from torch import Tensor

PICTURE = "group.png"
SIGNALS = ["audio", "expression"]

pytestmark = [needs_model, pytest.mark.usefixtures("landmarker")]


@pytest.fixture(scope="module")
def client(comfy: Comfy) -> Iterator[Client]:
    write_group(comfy.base / "input" / PICTURE)
    client = Client(comfy)
    yield client
    client.close()


def ask(client: Client, name: str, **values: Any) -> dict[str, Any]:
    answer = client.post(name, {"picture": PICTURE, **values})
    assert answer.status == 200, answer.body
    return dict(json.loads(answer.body))


def prepare(comfy: Comfy, image: Tensor, **widgets: Any) -> Any:
    return comfy.execute("PreparePortrait", **{"image": image, "short_side_px": 512} | widgets)


@pytest.fixture(scope="module")
def group(comfy: Comfy, client: Client) -> Tensor:
    """IMAGE."""
    load_image = comfy.core("media").load_image
    return load_image(comfy.base / "input" / PICTURE).movedim(0, -1)[None]


def test_faces_are_counted_as_the_node_counts_them(
    comfy: Comfy, client: Client, group: Tensor
) -> None:
    answer = ask(client, "faces")
    assert answer["size"] == [760, 420]
    assert answer["choices"] == {"largest": 1, "left": 0, "right": 1, "centre": 1}
    assert len(answer["boxes"]) == 2
    for index, box in enumerate(answer["boxes"]):
        output = prepare(comfy, group, face="index", face_index=index)
        portrait, _, _, count = output.args
        assert count == 2
        left, top, right, bottom = portrait.face.box
        scale = portrait.width / (portrait.crop.box[2] - portrait.crop.box[0])
        x0, y0, x1, y1 = (edge * scale for edge in box)
        shift = portrait.crop.box[0] * scale
        assert (left, top, right, bottom) == pytest.approx((x0 - shift, y0, x1 - shift, y1), abs=2)
        view = output.ui["actalker_faces"][0]
        assert {key: view[key] for key in answer} == answer
        file = comfy.base / "temp" / view["picture"]["subfolder"] / view["picture"]["filename"]
        assert file.is_file()


@pytest.mark.parametrize(
    ("portrait", "region"),
    [
        ({}, {}),
        ({"face": "index", "face_index": 0, "expand": 2.0}, {"style": "landmarks"}),
        ({"face_box": "400,60,620,300", "expand": 1.5}, {"style": "halves", "grow_px": 12}),
        ({"expand": 2.5, "aspect": 0.75}, {"audio_region": "lips+brows"}),
        ({"face": "whole picture"}, {"signals": "audio only"}),
    ],
)
def test_regions_are_told_as_the_nodes_draw_them(
    comfy: Comfy,
    client: Client,
    group: Tensor,
    portrait: dict[str, Any],
    region: dict[str, Any],
) -> None:
    answer = ask(client, "regions", short_side_px=512, **portrait, **region)
    portrait_of_face = prepare(comfy, group, **portrait).args[0]
    output = comfy.execute("RegionMasks", portrait=portrait_of_face, **region)
    drawing = comfy.core("control.drawing")
    assert answer["size"] == [portrait_of_face.width, portrait_of_face.height]
    assert {key: output.ui["actalker_regions"][0][key] for key in answer} == answer
    for signal, mask in zip(SIGNALS, output.args, strict=False):
        outline = drawing.parse_drawing(answer[signal])
        result = drawing.apply_drawing(
            torch.zeros_like(mask[:, None]), outline, portrait_of_face.crop
        )
        assert (result[:, 0] - mask).abs().sum() <= 0.03 * mask.sum() + 1


def test_what_is_drawn_is_in_the_mask(comfy: Comfy, group: Tensor) -> None:
    portrait_of_face = prepare(comfy, group).args[0]
    plain = comfy.execute("RegionMasks", portrait=portrait_of_face)
    result = comfy.execute(
        "RegionMasks",
        portrait=portrait_of_face,
        audio_drawing="brush 0.05 0.5,0.5",
        expression_drawing="empty; polygon 0.4,0.4 0.6,0.4 0.6,0.6 0.4,0.6;"
        "erase brush 0.01 0.5,0.5",
    )
    x, y = portrait_of_face.crop.place(torch.tensor([[0.5, 0.5]]).numpy())[0].round().astype(int)
    assert result.args[0][0, y, x] == 1
    assert (result.args[0] >= plain.args[0]).all()
    assert result.args[1][0, y, x] == 0
    assert result.args[1][0, y, x - 30] == 1
    assert result.args[2] > plain.args[2] == 0
    # The page draws it by itself over the regions.
    assert result.ui["actalker_regions"][0]["audio"] == plain.ui["actalker_regions"][0]["audio"]


def test_a_drawing_that_cannot_be_read_is_refused(comfy: Comfy, group: Tensor) -> None:
    portrait_of_face = prepare(comfy, group).args[0]
    with pytest.raises(Exception, match=r"expected polygon or brush.*at character 8, got 'circle"):
        comfy.execute(
            "RegionMasks", portrait=portrait_of_face, audio_drawing="empty; circle 0.5,0.5"
        )


@pytest.mark.parametrize("name", ["faces", "regions"])
@pytest.mark.parametrize(
    "picture", ["../group.png", "/etc/passwd", "group.png [temp]", None, [PICTURE]]
)
def test_what_is_no_picture_of_the_input_folder_is_refused(
    client: Client, name: str, picture: object
) -> None:
    answer = client.post(name, {"picture": picture})
    assert answer.status == 400
    assert answer.error.startswith("Picture")


@pytest.mark.parametrize("value", [None, True, [], {}, "x", -7, 1e300, 10**400, [[1]], ""])
@pytest.mark.parametrize(
    "widget",
    [
        *("short_side_px", "face", "face_index", "expand", "aspect", "face_box"),
        *("style", "signals", "grow_px", "audio_region", "expression_region"),
    ],
)
def test_values_of_wrong_types_are_refused(client: Client, widget: str, value: object) -> None:
    answer = client.post(
        "regions", {"picture": PICTURE, "face": "index", "face_index": 0, widget: value}
    )
    is_text = widget in ("face_box", "audio_region", "expression_region") and value in ("", "x")
    is_fine = is_text or (widget, value) == ("grow_px", -7)
    assert answer.status == (200 if is_fine else 400), answer.body


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"audio_region": "lips+hat"}, "at character 6"),
        ({"expression_region": "+"}, "at character"),
        ({"face_box": "1,2,3"}, "Face box '1,2,3': expected"),
        ({"face_box": "9000,0,9001,9"}, "inside 760x420"),
        ({"face": "index", "face_index": 2}, "expected 0 to 1"),
        ({"expand": 0.5}, "Expand: expected"),
        ({"aspect": 0.1}, "Aspect: expected"),
        ({"short_side_px": 500}, "multiple of 64"),
        ({"picture": "blank.png"}, "No face is found"),
    ],
)
def test_what_a_person_can_change_is_said(
    comfy: Comfy, client: Client, values: dict[str, Any], fault: str
) -> None:
    cv2.imwrite(str(comfy.base / "input" / "blank.png"), np.full((300, 400, 3), 128, np.uint8))
    assert fault in client.post("regions", {"picture": PICTURE, **values}).fault


@pytest.mark.parametrize("name", ["faces", "regions"])
def test_a_picture_that_is_missing_is_a_fault_and_bad_values_stay_refused(
    client: Client, name: str
) -> None:
    assert "Choose it anew" in client.post(name, {"picture": "missing.png"}).fault
    if name == "regions":
        assert client.post(name, {"picture": "missing.png", "expand": 1e300}).status == 400


@pytest.mark.parametrize("name", ["faces", "regions"])
def test_a_foreign_page_may_not_ask(client: Client, name: str) -> None:
    headers = JSON | {"Origin": "http://evil.example"}
    assert client.post(name, {"picture": PICTURE}, headers).status == 403


def test_nothing_is_fetched_for_the_page(
    comfy: Comfy, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = comfy.node_module("common.files")
    monkeypatch.setattr(files, "find_landmarker", lambda folders: None)
    monkeypatch.setattr(files.HaarFinder, "is_available", lambda: False)
    comfy.node_module("face.routes")._find_faces_at.cache_clear()
    assert "Run the graph once" in client.post("faces", {"picture": PICTURE}).fault
