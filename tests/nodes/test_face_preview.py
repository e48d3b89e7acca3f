"""The face of Face Editor before a graph runs: numbers in, a picture out, nothing else touched."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from helpers.host import Comfy
from helpers.recorded_faces import needs_model
from helpers.routes import Client

pytestmark = needs_model
NAME = "preview.png"


@pytest.fixture(scope="module")
def client(comfy: Comfy) -> Iterator[Client]:
    running = Client(comfy)
    yield running
    running.close()


@pytest.fixture(scope="module")
def folder(comfy: Comfy) -> Path:
    """The input folder with a photograph, and pictures that cannot be moved."""
    folder = comfy.base / "input"
    photograph = cv2.imread(str(comfy.core("synthetic.demo").find_photograph()))
    cv2.imwrite(
        str(folder / NAME), cv2.resize(photograph, (256, 300), interpolation=cv2.INTER_AREA)
    )
    cv2.imwrite(str(folder / "preview_blank.png"), np.full((90, 80, 3), 99, np.uint8))
    (folder / "preview_text.png").write_text("no picture")
    return folder


@pytest.fixture
def openings(comfy: Comfy) -> Iterator[list[str]]:
    """Names of the pictures that a preview is made of, from none on."""
    preview, names = comfy.node_module("photograph.preview"), []
    preview._open.cache_clear()

    def load(name: str) -> Any:
        names.append(name)
        return comfy.node_module("common.routes").load_picture(name)

    before, preview.load_picture = preview.load_picture, load
    yield names
    preview.load_picture = before
    preview._open.cache_clear()


def read(answer: Any) -> Any:
    """(h, w, 3) RGB of an answer."""
    return cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_without_the_landmarker_nothing_is_fetched_and_run_is_the_way_out(
    client: Client, folder: Path, openings: list[str]
) -> None:
    answer = client.post("face", {"picture": NAME})
    assert "Press Run" in answer.fault
    assert not openings


@pytest.mark.usefixtures("landmarker", "folder")
class TestFaces:
    @pytest.mark.parametrize("numbers", [{}, {"yaw": 12, "smile": 0.5, "gaze_x": -0.4}])
    def test_it_is_what_the_node_makes(
        self, client: Client, comfy: Comfy, folder: Path, numbers: dict[str, float]
    ) -> None:
        answer = client.post(
            "face", {"picture": NAME, "numbers": numbers, "more_numbers": "joy=0.3"}
        )
        assert answer.status == 200
        image = comfy.core("media").load_image(folder / NAME).movedim(0, -1)[None]
        more = {name: float(value) for name, value in numbers.items()}
        result = comfy.call("FaceEditor", portrait_image=image, more_numbers="joy=0.3", **more)[0]
        assert np.abs(read(answer) / 255 - result[0].numpy()).mean() < 0.01  # it is a JPEG
        facts = json.loads(answer.headers["X-ACTalker-Facts"])
        assert set(facts) == {"face", "eyes", "is_beyond"}

    def test_a_picture_is_opened_once(
        self, client: Client, folder: Path, openings: list[str]
    ) -> None:
        for yaw in range(3):
            client.post("face", {"picture": NAME, "numbers": {"yaw": yaw}})
        assert openings == [NAME]
        shutil.copy(folder / NAME, folder / "preview_copy.png")
        (folder / NAME).touch()  # a picture of the same name may be another
        client.post("face", {"picture": NAME})
        assert openings == [NAME, NAME]

    def test_no_more_pictures_stay_open_than_two(
        self, client: Client, folder: Path, comfy: Comfy, openings: list[str]
    ) -> None:
        names = [f"preview_{i}.png" for i in range(3)]
        for name in names:
            shutil.copy(folder / NAME, folder / name)
            assert client.post("face", {"picture": name}).status == 200
        assert comfy.node_module("photograph.preview")._open.cache_info().currsize == 2
        client.post("face", {"picture": names[-1]})
        assert openings == names

    @pytest.mark.parametrize(
        ("values", "fault"),
        [
            ({"picture": "preview_blank.png"}, "No face is found"),
            ({"picture": NAME, "face": "index", "face_index": 7}, "Face 7"),
            ({"picture": NAME, "more_numbers": "anger="}, "a number"),
            ({"picture": NAME, "more_numbers": "grin=1"}, "one of"),
            ({"picture": "missing.png"}, "Choose it anew"),
            ({"picture": "preview_text.png"}, "cannot be read"),
        ],
    )
    def test_what_a_person_can_change_is_said(
        self, client: Client, values: dict[str, Any], fault: str
    ) -> None:
        assert fault in client.post("face", values).fault

    @pytest.mark.parametrize(
        "values",
        [
            {},
            {"picture": None},
            {"picture": "../secret.png"},
            {"picture": "/etc/passwd"},
            {"picture": f"{NAME} [output]"},
            {"picture": "missing.png", "numbers": {"yaw": 91}},
            {"picture": NAME, "numbers": {"yaw": 91}},
            {"picture": NAME, "numbers": {"yaw": 1e300}},
            {"picture": NAME, "numbers": {"yaw": 10**400}},
            {"picture": NAME, "numbers": {"yaw": "10"}},
            {"picture": NAME, "numbers": {"yaw": True}},
            {"picture": NAME, "numbers": {"yaw": None}},
            {"picture": NAME, "numbers": {"nose": 1}},
            {"picture": NAME, "numbers": {"": 1}},
            {"picture": NAME, "numbers": [1]},
            {"picture": NAME, "numbers": "yaw=1"},
            {"picture": NAME, "more_numbers": 7},
            {"picture": NAME, "lips": "ajar"},
            {"picture": NAME, "lips": None},
            {"picture": NAME, "face": "tallest"},
            {"picture": NAME, "face": 1},
            {"picture": NAME, "face_index": -1},
            {"picture": NAME, "face_index": 1.5},
            {"picture": NAME, "face_index": 10**30},
        ],
    )
    def test_bad_values_open_nothing(
        self, client: Client, openings: list[str], values: dict[str, Any]
    ) -> None:
        answer = client.post("face", values)
        assert answer.status == 400
        assert "xpected" in answer.error
        assert not openings

    @pytest.mark.parametrize("body", ['{"yaw": NaN}', '{"yaw": 1e999}'])
    def test_numbers_that_are_not_finite_are_refused(self, client: Client, body: str) -> None:
        content = f'{{"picture": "{NAME}", "numbers": {body}}}'.encode()
        assert client.post("face", content).status == 400

    def test_keys_become_a_motion_and_the_sliders_the_picture(
        self, comfy: Comfy, folder: Path
    ) -> None:
        image = comfy.core("media").load_image(folder / NAME).movedim(0, -1)[None]
        call = {"portrait_image": image, "yaw": 10.0}
        picture, _, still = comfy.call("FaceEditor", **call)
        keyed_picture, _, motion = comfy.call(
            "FaceEditor", **call, keys="0s: smile=0; 1s: smile=1 ease"
        )
        assert torch.equal(picture, keyed_picture)
        assert (len(still), len(motion), motion.rate_hz) == (1, 26, 25.0)
        assert not motion.rotation_degrees.any()
        assert motion.blendshapes[-1].max() == 1
