"""Face Swap: the face changes, all else stays bit for bit, and what it cannot use is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.host import Comfy
from helpers.node_refusals import read_refusal
from helpers.recorded_faces import needs_model
from torch import Tensor

pytestmark = [needs_model, pytest.mark.usefixtures("landmarker")]
FRAMES = 5


@pytest.fixture(scope="module")
def inputs(comfy: Comfy) -> dict[str, Any]:
    """The face of one drawn person for the clip of another."""
    with torch.inference_mode():
        source = comfy.call("DemoMedia", seconds=0.1, person=3)[0]
        target = comfy.call("DemoMedia", seconds=0.2, person=1)[3]
        tgdm = comfy.call("LoadTGDM")[0]
    return {"tgdm": tgdm, "source_image": source, "target_frames": target[:FRAMES]}


def swap(comfy: Comfy, inputs: dict[str, Any], **more: Any) -> tuple[Tensor, Tensor]:
    frames, mask = comfy.call("FaceSwap", **(inputs | more))
    return frames, mask


def test_the_face_changes_and_all_else_stays(comfy: Comfy, inputs: dict[str, Any]) -> None:
    target = (inputs["target_frames"] * 255).round() / 255
    frames, mask = swap(comfy, inputs)
    assert frames.shape == target.shape
    assert mask.shape == frames.shape[:3]
    assert set(mask.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(frames[mask == 0], target[mask == 0])
    assert 0.05 < mask.mean() < 0.6
    assert (frames - target).abs().max() > 0.2
    corner = mask[:, :10, :10]
    assert not corner.any()


def test_place_steps_and_seed_matter(comfy: Comfy, inputs: dict[str, Any]) -> None:
    usual, _ = swap(comfy, inputs)
    for more in ({"place": "invented"}, {"steps": 1}):
        assert not torch.equal(usual, swap(comfy, inputs, **more)[0]), more
    first, second = (swap(comfy, inputs, steps=1, seed=seed)[0] for seed in (1, 2))
    assert not torch.equal(first, second)


def test_a_video_gives_what_its_frames_give(
    comfy: Comfy, inputs: dict[str, Any], tmp_path: Path
) -> None:
    from comfy_api.latest import InputImpl

    path = tmp_path / "clip.mkv"
    frames = inputs["target_frames"].movedim(-1, 1).mul(255).byte()
    comfy.core("media").write_video(path, [frames], 25.0)
    pixels = torch.stack(list(comfy.core("media").VideoFrames(path, 25.0)))
    still = pixels.movedim(1, -1).float() / 255
    video = InputImpl.VideoFromFile(str(path))
    for name in ("FaceSwap", "SwapStart"):
        sockets = inputs if name == "FaceSwap" else {"source_image": inputs["source_image"]}
        a, b = (
            comfy.call(name, **(sockets | {"target_frames": clip}))[0] for clip in (still, video)
        )
        assert torch.equal(a, b), name


def test_frames_without_the_face_are_kept(comfy: Comfy, inputs: dict[str, Any]) -> None:
    clip = inputs["target_frames"].clone()
    clip[-1] = 0.5
    output = comfy.execute("FaceSwap", **(inputs | {"target_frames": clip}))
    assert not output.args[1][-1].any()
    assert output.args[1][0].any()
    assert "kept" in output.ui.as_dict()["text"][0]


def test_a_source_without_a_face_is_refused(comfy: Comfy, inputs: dict[str, Any]) -> None:
    blank = torch.full((1, 64, 64, 3), 0.5)
    message = read_refusal(comfy, "FaceSwap", **(inputs | {"source_image": blank}))
    assert "No face is found in the source image" in message


def test_cancelling_stops_between_frames(comfy: Comfy) -> None:
    import comfy.model_management as manage

    node, reports = comfy.node, list[int]()
    graph = {
        "source": node("DemoMedia", seconds=0.1, person=3),
        "target": node("DemoMedia", seconds=0.3, person=1),
        "load": node("LoadTGDM"),
        "swap": node(
            "FaceSwap",
            tgdm=["load", 0],
            source_image=["source", 0],
            target_frames=["target", 3],
        ),
        "end": node("PreviewImage", images=["swap", 0]),
    }

    def cancel(name: str, done: int, total: int) -> None:
        if name == "swap":
            reports.append(done)
            manage.interrupt_current_processing()

    with comfy.report_progress(cancel):
        run = comfy.queue(graph)
    manage.interrupt_current_processing(False)
    assert not run.success
    assert run.error is None
    assert len(reports) <= 2
