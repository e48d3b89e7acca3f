"""Networks of TGDM through the nodes: loaded, kept in memory, and finishing frames."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.host import Comfy, image
from helpers.node_motion import make_motion
from helpers.node_refusals import read_refusal
from helpers.recorded_faces import needs_model
from torch import Tensor

FRAMES = 5
"""More than go through the network at once."""


@pytest.fixture(scope="module")
def tgdm(comfy: Comfy) -> Any:
    with torch.inference_mode():
        return comfy.call("LoadTGDM")[0]


@pytest.fixture(scope="module")
def portrait_image(comfy: Comfy) -> Tensor:
    with torch.inference_mode():
        drawing: Tensor = comfy.call("DemoMedia", seconds=0.1, person=3)[0]
        return drawing


@pytest.fixture(scope="module")
def clip(comfy: Comfy, landmarker: None, portrait_image: Tensor) -> dict[str, Any]:
    """What Refine With TGDM takes of a drawn person whose mouth opens."""
    with torch.inference_mode():
        motion = make_motion(comfy, FRAMES, aaa=0.8, yaw=4)
        inputs = {"portrait_image": portrait_image, "motion": motion}
        frames, mask, _, motion = comfy.call("MotionToFrames", **inputs)
    return inputs | {"frames": frames, "invented_mask": mask, "motion": motion}


@pytest.fixture
def models_folder(comfy: Comfy) -> Iterator[Path]:
    """`models/actalker`, as it was afterwards."""
    folder = comfy.base / "models" / "actalker"
    before = set(folder.iterdir())
    yield folder
    for path in set(folder.iterdir()) - before:
        path.unlink()


def refine(comfy: Comfy, inputs: dict[str, Any], **more: Any) -> Tensor:
    frames: Tensor = comfy.call("RefineWithTGDM", **(inputs | more))[0]
    return frames


# Files --------------------------------------------------------------------------------------------


def test_a_file_of_the_family_is_listed_and_loads(comfy: Comfy, models_folder: Path) -> None:
    checkpoint = comfy.core("models.tgdm.checkpoint")
    checkpoint.save_network(checkpoint.load_network(), models_folder / "me.safetensors")
    names = comfy.node_module("tgdm.bridge.network").list_networks()
    assert names == ["built-in", "me.safetensors"]
    assert "me.safetensors" not in comfy.node_module("actalker.load").list_checkpoints()
    network = comfy.call("LoadTGDM", checkpoint="me.safetensors")[0].load()
    for key, weight in checkpoint.load_network().state_dict().items():
        torch.testing.assert_close(network.state_dict()[key], weight, atol=1e-3, rtol=1e-3)


def test_a_file_that_was_replaced_is_read_again(comfy: Comfy, models_folder: Path) -> None:
    checkpoint, path = comfy.core("models.tgdm.checkpoint"), models_folder / "me.safetensors"
    node = comfy.nodes.NODE_CLASS_MAPPINGS["ACTalker_LoadTGDM"]
    checkpoint.save_network(checkpoint.load_network(), path)
    before = node.fingerprint_inputs(checkpoint=path.name)
    assert before == node.fingerprint_inputs(checkpoint=path.name)
    checkpoint.save_network(checkpoint.load_network(), path)
    assert node.fingerprint_inputs(checkpoint=path.name) != before


def test_a_checkpoint_of_another_family_is_refused_by_name(
    comfy: Comfy, models_folder: Path
) -> None:
    (models_folder / "talker.safetensors").symlink_to(comfy.base / "tiny.safetensors")
    message = read_refusal(comfy, "LoadTGDM", checkpoint="talker.safetensors")
    assert "talker.safetensors" in message
    assert "got one of ACTalker" in message


# Memory -------------------------------------------------------------------------------------------


def test_a_network_is_loaded_when_it_is_used_and_can_be_sent_away(
    comfy: Comfy, tgdm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import comfy.model_management as manage

    manage.unload_all_models()
    before = {key: weight.clone() for key, weight in tgdm.load().state_dict().items()}
    assert any(entry.model.model[0] is tgdm.load() for entry in manage.current_loaded_models)
    manage.unload_all_models()
    assert not manage.current_loaded_models
    for key, weight in tgdm.load().state_dict().items():
        assert torch.equal(weight, before[key]), key


# Frames -------------------------------------------------------------------------------------------


@needs_model
class TestFrames:
    def test_the_mouth_changes_and_the_size_stays(
        self, comfy: Comfy, tgdm: Any, clip: dict[str, Any]
    ) -> None:
        frames = refine(comfy, clip, tgdm=tgdm)
        assert frames.shape == clip["frames"].shape
        assert (frames - clip["frames"]).abs().max() > 0.1
        assert frames.min() >= 0
        assert frames.max() <= 1

    def test_what_the_photograph_shows_may_stay(
        self, comfy: Comfy, tgdm: Any, clip: dict[str, Any]
    ) -> None:
        frames = refine(comfy, clip, tgdm=tgdm, place="invented")
        is_true = clip["invented_mask"] == 0
        assert torch.equal(frames[is_true], clip["frames"][is_true])
        assert (frames - clip["frames"]).abs().max() > 0.1

    def test_a_mask_keeps_what_is_black(
        self, comfy: Comfy, tgdm: Any, clip: dict[str, Any]
    ) -> None:
        half = torch.ones(clip["frames"].shape[1:3])
        half[: len(half) // 2] = 0
        frames = refine(comfy, clip, tgdm=tgdm, region_mask=half)
        assert torch.equal(frames[:, half == 0], clip["frames"][:, half == 0])
        assert not torch.equal(frames[:, half == 1], clip["frames"][:, half == 1])

    def test_steps_and_their_seed_matter(
        self, comfy: Comfy, tgdm: Any, clip: dict[str, Any]
    ) -> None:
        first, again, third = (
            refine(comfy, clip, tgdm=tgdm, steps=1, seed=seed) for seed in (1, 1, 2)
        )
        assert torch.equal(first, again)
        assert not torch.equal(first, third)
        assert not torch.equal(first, refine(comfy, clip, tgdm=tgdm))

    @pytest.mark.parametrize("name", ["frames", "invented_mask"])
    @pytest.mark.parametrize("change", ["fewer", "smaller"])
    def test_frames_of_another_motion_or_photograph_are_refused(
        self, comfy: Comfy, tgdm: Any, clip: dict[str, Any], name: str, change: str
    ) -> None:
        images = clip[name]
        bad = images[:2] if change == "fewer" else images[:, ::2, ::2]
        message = read_refusal(comfy, "RefineWithTGDM", **(clip | {"tgdm": tgdm, name: bad}))
        height, width = clip["frames"].shape[1:3]
        assert f"{name}: expected {FRAMES} of {width}x{height}" in message
        assert f"got {len(bad)} of {bad.shape[2]}x{bad.shape[1]}" in message
        assert "Connect" in message

    def test_a_mask_of_another_size_is_refused(
        self, comfy: Comfy, tgdm: Any, clip: dict[str, Any]
    ) -> None:
        inputs = clip | {"tgdm": tgdm, "region_mask": torch.ones(9, 8)}
        assert "got 8x9" in read_refusal(comfy, "RefineWithTGDM", **inputs)

    def test_a_few_frames_at_a_time_are_read(
        self, comfy: Comfy, tgdm: Any, clip: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever the length, so that only what comes and what goes takes memory."""
        module = comfy.node_module("tgdm.refine")
        steps: list[str] = []
        read, convert = module.convert.to_bytes, module.convert

        def note(pixels: Tensor) -> Any:
            steps.append("read")
            return read(pixels)

        monkeypatch.setattr(convert, "to_bytes", note)
        bar = module.Bar

        class NotingBar(bar):  # type: ignore[misc, valid-type]
            def show(self, *arguments: Any) -> None:
                steps.append("done")
                super().show(*arguments)

        monkeypatch.setattr(module, "Bar", NotingBar)
        long = {name: clip[name].repeat_interleave(3, 0) for name in ("frames", "invented_mask")}
        long["motion"] = make_motion(comfy, 3 * FRAMES, aaa=0.8)
        refine(comfy, clip | long, tgdm=tgdm)
        waiting = [
            steps[: i + 1].count("read") // 2 - steps[: i + 1].count("done")
            for i in range(len(steps))
        ]
        assert steps.count("done") == 3 * FRAMES
        assert max(waiting) <= comfy.core("models.tgdm.pipeline").FRAMES_AT_ONCE

    def test_cancelling_stops_between_frames(self, comfy: Comfy) -> None:
        import comfy.model_management as manage

        reports: list[int] = []

        def cancel(name: str, done: int, total: int) -> None:
            if name == "refine":
                reports.append(done)
                manage.interrupt_current_processing()

        with comfy.report_progress(cancel):
            run = comfy.queue(make_graph(comfy))
        manage.interrupt_current_processing(False)
        assert not run.success
        assert run.error is None
        assert len(reports) <= 2


def make_graph(comfy: Comfy) -> dict[str, Any]:
    """A drawn person who lives, finished."""
    node = comfy.node
    return {
        "media": node("DemoMedia", seconds=0.1),
        "load": node("LoadTGDM"),
        "animate": node("AnimatePhoto", portrait_image=["media", 0], seconds=0.3),
        "refine": node(
            "RefineWithTGDM",
            tgdm=["load", 0],
            portrait_image=["media", 0],
            frames=["animate", 0],
            invented_mask=["animate", 1],
            motion=["animate", 4],
        ),
        "end": node("PreviewImage", images=["refine", 0]),
    }


@needs_model
@pytest.mark.usefixtures("landmarker")
def test_animated_frames_are_finished_in_a_graph(comfy: Comfy) -> None:
    run = comfy.queue(make_graph(comfy))
    assert run.success, run.message
    before, after = comfy.output("animate"), comfy.output("refine")
    assert after.shape == before.shape
    assert not torch.equal(after, before)


def test_no_frames_are_refused(comfy: Comfy, tgdm: Any) -> None:
    shape_check = comfy.node_module("tgdm.refine")._check_shape
    with pytest.raises(comfy.core("errors").InputError, match="got str"):
        shape_check("frames", "x", (1, 2, 3))
    shape_check("frames", image(2, 3), (1, 2, 3))
