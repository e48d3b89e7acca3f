"""Nodes of ComfyUI and of other packs before and after ours."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from helpers.graphs import (
    FPS,
    FRAMES,
    Graph,
    assert_clip,
    find_newest,
    run_graph,
    value,
)
from helpers.host import Comfy


def draw_masks(node: Any, kind: str) -> Graph:
    solid = node("SolidMask", value=1.0, width=64, height=64)
    if kind == "SolidMask":
        return {"mask": solid}
    if kind == "FeatherMask":
        edges = {"left": 16, "top": 16, "right": 16, "bottom": 16}
        return {"solid": solid, "mask": node("FeatherMask", mask=["solid", 0], **edges)}
    small = node("SolidMask", value=1.0, width=32, height=32)
    empty = node("SolidMask", value=0.0, width=64, height=64)
    place = {"x": 16, "y": 16, "operation": "add"}
    composite = node("MaskComposite", destination=["empty", 0], source=["small", 0], **place)
    return {"small": small, "empty": empty, "mask": composite}


@pytest.mark.parametrize("kind", ["SolidMask", "FeatherMask", "MaskComposite"])
def test_masks_of_comfyui_are_regions(comfy: Comfy, separate: Graph, node: Any, kind: str) -> None:
    graph = separate | draw_masks(node, kind)
    graph["conditioning"]["inputs"]["audio_mask"] = ["mask", 0]
    run_graph(comfy, graph)
    assert_clip(value(comfy, "decode"))
    by_mask = value(comfy, "sampler")["samples"]
    graph["conditioning"]["inputs"]["audio_mask"] = ["regions", 1]
    run_graph(comfy, graph)
    assert (value(comfy, "sampler")["samples"] - by_mask).abs().max() > 1e-4


def test_a_mask_over_the_picture_means_the_same_as_one_over_the_portrait(
    comfy: Comfy, separate: Graph, node: Any
) -> None:
    weights = []
    for width, height in ((64, 64), (80, 96)):
        graph = deepcopy(separate)
        graph["mask"] = node("SolidMask", value=1.0, width=width, height=height)
        graph["conditioning"]["inputs"]["audio_mask"] = ["mask", 0]
        run_graph(comfy, graph)
        weights.append(value(comfy, "sampler")["samples"])
    assert torch.allclose(*weights, atol=1e-4)


def test_own_masks_go_through_region_masks(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate["mask"] = node("SolidMask", value=1.0, width=64, height=64)
    separate["regions"]["inputs"]["own_audio_mask"] = ["mask", 0]
    separate["regions"]["inputs"]["own_expression_mask"] = ["mask", 0]
    run_graph(comfy, separate)
    assert value(comfy, "regions").shape == (1, 64, 64)
    assert (value(comfy, "regions") == 1).all()
    assert value(comfy, "regions", 2) == pytest.approx(1)


def test_the_face_region_is_a_mask_for_mask_nodes(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate["seen"] = node("MaskToImage", mask=["portrait", 2])
    separate["preview"] = node("PreviewImage", images=["seen", 0])
    run_graph(comfy, separate)
    assert value(comfy, "seen").shape == (1, 64, 64, 3)


def test_frames_of_empty_image_drive(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate["driving"] = node("EmptyImage", width=48, height=40, batch_size=FRAMES, color=0x8060FF)
    run_graph(comfy, separate)
    assert value(comfy, "encode_motion", 3) == FRAMES
    assert_clip(value(comfy, "decode"))


@pytest.mark.parametrize(("fps", "frames"), [(25.0, 12), (50.0, 24), (30.0, 24)])
def test_a_video_s_own_frame_rate_is_respected(
    comfy: Comfy, separate: Graph, node: Any, fps: float, frames: int
) -> None:
    separate["driving"]["inputs"]["amount"] = frames
    separate["clip"] = node("CreateVideo", images=["driving", 0], fps=fps)
    separate["encode_motion"]["inputs"]["frames"] = ["clip", 0]
    run_graph(comfy, separate)
    assert value(comfy, "encode_motion", 3) == round(frames * FPS / fps)
    assert value(comfy, "encode_motion").rate_hz == FPS
    assert value(comfy, "encode_motion").seconds == pytest.approx(frames / fps)


def test_a_video_means_the_same_as_its_frames_at_its_rate(
    comfy: Comfy, separate: Graph, node: Any
) -> None:
    separate["driving"]["inputs"]["amount"] = 12
    separate["encode_motion"]["inputs"]["frames_per_second"] = 25.0
    run_graph(comfy, separate)
    expected = value(comfy, "encode_motion").features
    separate["clip"] = node("CreateVideo", images=["driving", 0], fps=25.0)
    separate["encode_motion"]["inputs"] |= {"frames": ["clip", 0], "frames_per_second": 60.0}
    run_graph(comfy, separate)
    assert torch.equal(value(comfy, "encode_motion").features, expected)


def test_a_video_file_drives_talk(comfy: Comfy, talk: Any, separate: Graph, node: Any) -> None:
    run_graph(comfy, separate)
    path = find_newest(comfy, "separate")
    (comfy.base / "input" / "driving.mp4").write_bytes(path.read_bytes())
    graph = talk(audio=False, driving=True)
    graph["driving"] = node("LoadVideo", file="driving.mp4")
    graph["parts"] = node("GetVideoComponents", video=["driving", 0])
    graph["talk"]["inputs"]["audio"] = ["parts", 1]
    run_graph(comfy, graph)
    assert_clip(value(comfy, "talk"))


def test_the_sampler_of_comfyui_and_the_node_give_one_clip(
    comfy: Comfy, separate: Graph, node: Any
) -> None:
    run_graph(comfy, separate)
    expected = value(comfy, "sampler")["samples"]
    separate |= {
        "guider": node("Guider", model=["windows", 0], conditioning=["conditioning", 0]),
        "noise": node("RandomNoise", noise_seed=0),
        "euler": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node(
            "BasicScheduler", model=["load", 0], scheduler="karras", steps=2, denoise=1.0
        ),
        "sampler": node(
            "SamplerCustomAdvanced",
            noise=["noise", 0],
            guider=["guider", 0],
            sampler=["euler", 0],
            sigmas=["sigmas", 0],
            latent_image=["conditioning", 1],
        ),
    }
    run_graph(comfy, separate)
    assert torch.equal(value(comfy, "sampler")["samples"], expected)
