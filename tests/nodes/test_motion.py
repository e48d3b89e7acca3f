"""Motion in numbers through the nodes: sources, mixes, files; photographs that move by it."""

import weakref
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.graphs import run_graph, value
from helpers.host import Comfy, image, speech
from helpers.node_motion import make_motion
from helpers.recorded_faces import needs_model
from torch import Tensor

SECONDS, FPS = 0.4, 10.0
MOST_FRAMES = 8
"""Of a video in memory: what is drawn at the same time, and some that wait."""


@pytest.fixture(scope="module")
def media(comfy: Comfy) -> dict[str, Any]:
    with torch.inference_mode():
        outputs = comfy.call("DemoMedia", seconds=SECONDS)
    names = ("portrait_image", "mask", "speech", "driving_frames", "fps", "photograph")
    things = dict(zip(names, outputs, strict=True))
    things["photograph"] = things["photograph"][:, ::2, ::2]
    return things


def number(motion: Any, name: str) -> Tensor:
    """The course (f,) of a number."""
    columns = type(motion).__module__.rpartition(".")[0] + ".columns"
    track, column = __import__(columns, fromlist=["COLUMNS"]).COLUMNS[name]
    return motion.tracks[track][:, column]


# Sources, mixes and files ------------------------------------------------------------------------


def test_words_become_motion_in_time(comfy: Comfy) -> None:
    text = "0s: neutral; 1s: joy"
    motion = comfy.call("MotionFromWords", text=text, seconds=1.2, motion_fps=FPS)[0]
    assert len(motion) == 12
    smile = number(motion, "mouthSmileLeft")
    assert smile[0] == 0
    assert smile[10] > 0.5
    assert not motion.rotation_degrees.any()


def test_idle_life_is_that_of_its_seed_and_as_long_as_the_speech(comfy: Comfy) -> None:
    first, again, third = (
        comfy.call("MotionFromIdle", seconds=2.0, seed=seed)[0] for seed in (1, 1, 2)
    )
    assert torch.equal(first.rotation_degrees, again.rotation_degrees)
    assert not torch.equal(first.rotation_degrees, third.rotation_degrees)
    assert len(comfy.call("MotionFromIdle", seconds=9.0, audio=speech(1.0))[0]) == 25
    off = dict.fromkeys(("blinks", "breath", "sway", "gaze", "stress"), 0.0)
    still = comfy.call("MotionFromIdle", **off)[0]
    assert not still.rotation_degrees.any()
    assert not still.blendshapes.any()


def test_speech_moves_the_mouth_alone(comfy: Comfy, media: Any) -> None:
    motion, count = comfy.call("MotionFromSpeech", audio=media["speech"])
    assert count == len(motion) == 10
    assert not motion.rotation_degrees.any()
    assert not number(motion, "browInnerUp").any()


def test_each_group_is_the_motion_s_that_owns_it(comfy: Comfy) -> None:
    first, second = (
        make_motion(comfy, smile=size, brows=size, yaw=20 * size) for size in (0.2, 1.0)
    )
    inputs = {"first_motion": first, "second_motion": second}
    motion = comfy.call("MixMotion", **inputs)[0]
    assert torch.equal(number(motion, "mouthSmileLeft"), number(second, "mouthSmileLeft"))
    assert torch.equal(number(motion, "browInnerUp"), number(first, "browInnerUp"))
    assert torch.equal(motion.rotation_degrees, first.rotation_degrees)
    head = comfy.call("MixMotion", **inputs, mouth=0.0, head=0.5)[0]
    torch.testing.assert_close(head.rotation_degrees[:, 1], torch.full((5,), 12.0))


def test_a_curve_lets_the_second_in(comfy: Comfy) -> None:
    inputs = {
        f"{n}_motion": make_motion(comfy, smile=v) for n, v in (("first", 0.0), ("second", 1.0))
    }
    curve = comfy.call("Curve", curve_text="0 0 1 1 1")[0]
    smile = number(comfy.call("MixMotion", **inputs, curve=curve)[0], "mouthSmileLeft")
    assert smile.tolist() == [0, 0, 1, 1, 1]


def test_a_group_has_a_curve_of_its_own_instead_of_its_number(comfy: Comfy) -> None:
    first, second = (make_motion(comfy, smile=v, brows=v) for v in (0.0, 1.0))
    brows, all_groups = (
        comfy.call("Curve", curve_text=text)[0] for text in ("0 0.5 1 1 1", "1 1 1 0 0")
    )
    curves = {"brows_curve": brows, "curve": all_groups}
    motion = comfy.call("MixMotion", first_motion=first, second_motion=second, **curves)[0]
    assert number(motion, "browInnerUp").tolist() == [0, 0.5, 1, 0, 0]
    assert number(motion, "mouthSmileLeft").tolist() == [1, 1, 1, 0, 0]


def test_an_edit_acts_where_its_curve_is_open(comfy: Comfy) -> None:
    words = {"text": "0s: neutral; 0.16s: joy", "seconds": 0.2, "motion_fps": 25.0}
    motion = comfy.call("MotionFromWords", **words)[0]
    curve = comfy.call("Curve", curve_text="0 0 1 1 0.5")[0]
    inputs = {"edit": "scale", "value": 0.5, "second_value": 0.0}
    edit = {"motion": motion, "edit": "loop", "value": 1.0, "curve": curve}
    assert len(comfy.call("EditMotion", **edit)[0]) == len(motion)
    calmer = comfy.call("EditMotion", motion=motion, **inputs, curve=curve)[0]
    calm = comfy.call("EditMotion", motion=motion, **inputs)[0]
    smiles = [number(result, "mouthSmileLeft") for result in (motion, calm, calmer)]
    assert not torch.equal(smiles[0], smiles[1])
    gate = torch.tensor([0, 0, 1, 1, 0.5])
    torch.testing.assert_close(smiles[2], smiles[0] + gate * (smiles[1] - smiles[0]))


def test_one_group_is_edited_and_the_length_stays(comfy: Comfy) -> None:
    motion = make_motion(comfy, smile=0.5, yaw=10)
    half = comfy.call(
        "EditMotion", motion=motion, group="head", edit="trim", value=0.0, second_value=0.08
    )[0]
    assert len(half) == 5
    assert len(comfy.call("EditMotion", motion=motion, edit="loop", value=1.0)[0]) == 25


def test_saved_motion_is_listed_and_loads_bit_for_bit(comfy: Comfy) -> None:
    motion = make_motion(comfy, smile=0.3, pitch=-7, gaze_x=0.2)
    path = Path(comfy.call("SaveMotion", motion=motion, filename_prefix="moves/kept")[0])
    entry = f"{path.relative_to(comfy.base / 'output')} [output]"
    names = comfy.info("ACTalker_LoadMotion")["input"]["required"]["motion_file"]
    assert entry in (names[1]["options"] if len(names) > 1 else names[0])
    assert entry not in comfy.node_module("common.files").list_recordings(
        comfy.node_module("common.files").SIGNALS
    )
    again = comfy.call("LoadMotion", motion_file=entry)[0]
    for name, track in motion.tracks.items():
        assert torch.equal(again.tracks[name], track)


@pytest.mark.parametrize("name", ["EditMotion", "SaveMotion", "MixMotion", "MotionToFrames"])
@pytest.mark.parametrize("bad", [None, 5, "smile"])
def test_what_is_no_motion_is_refused(comfy: Comfy, name: str, bad: Any) -> None:
    inputs = {
        "MixMotion": {"first_motion": bad, "second_motion": bad},
        "MotionToFrames": {"portrait_image": image(), "motion": bad},
    }
    with pytest.raises(comfy.core("errors").InputError, match=r"expected .*[Mm]otion"):
        comfy.call(name, **inputs.get(name, {"motion": bad}))


# Photographs -------------------------------------------------------------------------------------


def test_without_the_landmarker_the_error_says_where_it_belongs(comfy: Comfy) -> None:
    with pytest.raises(comfy.core("errors").CheckpointError, match=r"face_landmarker\.task"):
        comfy.call("FaceEditor", portrait_image=image())


@needs_model
@pytest.mark.usefixtures("landmarker")
class TestPhotographs:
    def test_at_rest_a_photograph_stays_and_a_smile_moves_its_face(
        self, comfy: Comfy, media: Any
    ) -> None:
        photograph = media["photograph"]
        still, mask, motion = comfy.call("FaceEditor", portrait_image=photograph)
        assert (still - photograph).abs().max() < 2 / 255
        assert mask.shape == still.shape[:3]
        smile, _, _ = comfy.call(
            "FaceEditor", portrait_image=photograph, smile=1.0, more_numbers="jawOpen=0.5"
        )
        assert (smile - photograph).abs().max() > 0.1
        assert torch.equal(smile[:, -20:], photograph[:, -20:])
        assert len(motion) == 1

    def test_a_photograph_speaks_and_lives(self, comfy: Comfy, media: Any) -> None:
        frames, mask, sound, fps, motion = comfy.call(
            "AnimatePhoto",
            portrait_image=media["photograph"],
            audio=media["speech"],
            driving_frames=media["driving_frames"],
            text="joy",
        )
        assert frames.shape == (10, *media["photograph"].shape[1:])
        assert mask.shape == frames.shape[:3]
        assert mask.min() >= 0
        assert mask.max() <= 1
        assert sound["waveform"].shape[-1] == round(SECONDS * sound["sample_rate"])
        assert (fps, len(motion)) == (25.0, 10)
        assert not torch.equal(frames[0], frames[-1])

    def test_a_mask_keeps_what_is_black(self, comfy: Comfy, media: Any) -> None:
        photograph = media["photograph"]
        half = torch.zeros(photograph.shape[1:3])
        half[:, half.shape[1] // 2 :] = 1
        frames = comfy.call(
            "AnimatePhoto", portrait_image=photograph, seconds=0.2, text="anger", region_mask=half
        )[0]
        left = slice(0, half.shape[1] // 2)
        torch.testing.assert_close(frames[-1][:, left], photograph[0][:, left], atol=1e-6, rtol=0)
        assert (frames[-1] - photograph[0]).abs().max() > 0.05

    def test_nothing_to_move_by_is_refused(self, comfy: Comfy, media: Any) -> None:
        with pytest.raises(comfy.core("errors").InputError, match="set idle above 0"):
            comfy.call("AnimatePhoto", portrait_image=media["photograph"], idle=0.0)

    def test_no_face_is_refused(self, comfy: Comfy) -> None:
        for node in ("AnimatePhoto", "FaceEditor", "GeometryImages"):
            with pytest.raises(comfy.core("errors").FaceError, match="No face is found"):
                comfy.call(node, portrait_image=torch.full((1, 64, 64, 3), 0.5))

    def test_a_clip_gives_motion_that_frames_show(self, comfy: Comfy, media: Any) -> None:
        motion, count = comfy.call(
            "MotionFromClip", frames=media["driving_frames"], motion_fps=FPS, max_frames=3
        )
        assert (count, len(motion), motion.rate_hz) == (3, 3, FPS)
        frames, mask, fps, shown_motion = comfy.call(
            "MotionToFrames", portrait_image=media["photograph"], motion=motion, fps=20.0
        )
        assert (len(frames), len(mask), fps) == (6, 6, 20.0)
        assert (len(shown_motion), shown_motion.rate_hz) == (6, 20.0)

    @pytest.mark.parametrize("name", ["MotionFromClip", "AnimatePhoto", "SwapStart", "FaceSwap"])
    def test_a_long_video_is_never_in_memory_whole(
        self,
        comfy: Comfy,
        media: Any,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        name: str,
    ) -> None:
        clip = media["driving_frames"].movedim(-1, 1)
        frames = clip.repeat(6, 1, 1, 1).mul(255).byte()
        path = tmp_path / "long.mp4"
        comfy.core("media").write_video(path, [frames], 25.0)
        video = __import__("comfy_api.latest", fromlist=["x"]).InputImpl.VideoFromFile(str(path))
        counts = count_frames_in_memory(comfy, monkeypatch)
        photograph = media["photograph"]
        inputs = {
            "MotionFromClip": {"frames": video},
            "AnimatePhoto": {
                "portrait_image": photograph,
                "driving_frames": video,
                "mouth": "driver",
            },
            "SwapStart": {"source_image": photograph, "target_frames": video},
            "FaceSwap": {
                "tgdm": comfy.call("LoadTGDM")[0],
                "source_image": photograph,
                "target_frames": video,
            },
        }
        outputs = comfy.call(name, **inputs[name])
        assert len(outputs[0]) == len(frames) == 60
        assert max(counts) <= MOST_FRAMES

    @pytest.mark.parametrize("attribute", ["shaded", "lines"])
    def test_geometry_follows_the_motion(self, comfy: Comfy, media: Any, attribute: str) -> None:
        motion = make_motion(comfy, yaw=20)
        images, mask = comfy.call(
            "GeometryImages", attribute=attribute, motion=motion, width=96, height=64, max_frames=2
        )
        assert images.shape == (2, 64, 96, 3)
        assert mask.shape == (2, 64, 96)
        rest = comfy.call("GeometryImages", attribute=attribute, width=96, height=64)[0]
        assert not torch.equal(images[:1], rest)
        drawing = comfy.call(
            "GeometryImages", attribute=attribute, portrait_image=media["photograph"]
        )[0]
        assert drawing.shape == media["photograph"].shape

    def test_a_swap_stays_inside_its_mask(self, comfy: Comfy, media: Any) -> None:
        target = media["photograph"].flip(2)
        images, inpaint_mask, invented_mask = comfy.call(
            "SwapStart", source_image=media["photograph"], target_frames=target
        )
        outside = inpaint_mask[0] == 0
        torch.testing.assert_close(images[0][outside], target[0][outside], atol=0.003, rtol=0)
        assert (invented_mask <= inpaint_mask).all()
        assert 0.01 < inpaint_mask.mean() < 0.5

    def test_cancelling_stops_between_frames(self, comfy: Comfy, node: Any) -> None:
        graph = photograph_graph(node)
        management = __import__("comfy.model_management", fromlist=["x"])
        reports: list[int] = []

        def cancel(name: str, done: int, total: int) -> None:
            if name == "frames":
                reports.append(done)
                management.interrupt_current_processing()

        with comfy.report_progress(cancel):
            run = comfy.queue(deepcopy(graph))
        management.interrupt_current_processing(False)
        assert not run.success
        assert len(reports) <= 2

    def test_nothing_is_computed_twice_and_a_curve_only_what_follows(
        self, comfy: Comfy, node: Any
    ) -> None:
        graph = photograph_graph(node)
        run_graph(comfy, graph)
        before = value(comfy, "frames").clone()
        assert run_graph(comfy, graph).ran == []
        graph["curve"]["inputs"]["curve_text"] = "0 0 1 1"
        assert set(run_graph(comfy, graph).ran) == {"curve", "mix", "frames", "preview"}
        assert not torch.equal(value(comfy, "frames"), before)


def count_frames_in_memory(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many frames of files are in memory, each time that one is read."""
    reader, alive, counts = comfy.core("media.video_reader"), set[int](), list[int]()
    read_frames = reader.read_frames

    def read_and_count(*arguments: Any, **options: Any) -> Iterator[Tensor]:
        for i, frame in enumerate(read_frames(*arguments, **options)):
            alive.add(i)
            weakref.finalize(frame, alive.discard, i)
            counts.append(len(alive))
            yield frame
            del frame

    monkeypatch.setattr(reader, "read_frames", read_and_count)
    return counts


@pytest.fixture
def node(comfy: Comfy) -> Callable[..., Any]:
    return comfy.node


def photograph_graph(node: Callable[..., Any]) -> dict[str, Any]:
    """Words over idle life along a curve, shown on the photograph."""
    return {
        "media": node("DemoMedia", seconds=SECONDS),
        "words": node("MotionFromWords", text="surprise", seconds=SECONDS, motion_fps=FPS),
        "idle": node("MotionFromIdle", seconds=SECONDS, motion_fps=FPS),
        "curve": node("Curve", curve_text="1"),
        "mix": node(
            "MixMotion",
            first_motion=["idle", 0],
            second_motion=["words", 0],
            brows=1.0,
            curve=["curve", 0],
        ),
        "frames": node("MotionToFrames", portrait_image=["media", 5], motion=["mix", 0]),
        "preview": node("PreviewImage", images=["frames", 0]),
    }
