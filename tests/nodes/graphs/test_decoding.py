"""Decoding, encoding and pasting back."""

from copy import deepcopy
from typing import Any

import torch
from helpers.graphs import (
    FRAMES,
    Graph,
    assert_clip,
    run_graph,
    value,
)
from helpers.host import Comfy, image


def test_paste_back_leaves_pixels_outside_the_crop_untouched(
    comfy: Comfy, separate: Graph, node: Any
) -> None:
    separate["portrait"]["inputs"] |= {"face_box": "30,30,50,50", "expand": 1.5, "aspect": 1.0}
    separate["paste"] = node(
        "PasteBack", frames=["decode", 0], original=["picture", 0], portrait=["portrait", 0]
    )
    separate["preview"] = node("PreviewImage", images=["paste", 0])
    run_graph(comfy, separate)
    output, original = value(comfy, "paste"), value(comfy, "picture")
    left, top, right, bottom = value(comfy, "portrait").crop.box
    assert 0 < left < right < 80
    inside = torch.zeros(96, 80, dtype=torch.bool)
    inside[top:bottom, left:right] = True
    assert output.shape == (FRAMES, 96, 80, 3)
    assert torch.equal(output[:, ~inside], original.expand(FRAMES, -1, -1, -1)[:, ~inside])
    assert (output[:, inside] != original.expand(FRAMES, -1, -1, -1)[:, inside]).any()


def test_frames_of_the_portrait_itself_paste_back_as_they_were(
    comfy: Comfy, separate: Graph
) -> None:
    original = image(128, 128)
    box = {"face_box": "32,32,96,96", "expand": 1.0, "short_side_px": 64}
    portrait, frames, *_ = comfy.call("PreparePortrait", image=original, **box)
    inputs = {"frames": frames, "original": original, "portrait": portrait, "feather_px": 0}
    output = comfy.call("PasteBack", **inputs)[0]
    assert torch.allclose(output, original, atol=1e-5)


def test_decode_gives_what_vae_decode_gives(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate["plain"] = node("VAEDecode", samples=["sampler", 0], vae=["load", 2])
    separate["preview"] = node("PreviewImage", images=["plain", 0])
    run_graph(comfy, separate)
    assert torch.equal(value(comfy, "plain"), value(comfy, "decode"))


def test_the_tiled_decoder_of_comfyui_gives_a_clip(
    comfy: Comfy, separate: Graph, node: Any
) -> None:
    tiles = {"tile_size": 64, "overlap": 32, "temporal_size": 64, "temporal_overlap": 8}
    separate["plain"] = node("VAEDecodeTiled", samples=["sampler", 0], vae=["load", 2], **tiles)
    separate["preview"] = node("PreviewImage", images=["plain", 0])
    run_graph(comfy, separate)
    assert_clip(value(comfy, "plain"))


def test_vae_encode_gives_latents_that_can_be_sampled(
    comfy: Comfy, separate: Graph, node: Any
) -> None:
    separate["again"] = node("VAEEncode", pixels=["decode", 0], vae=["load", 2])
    second = deepcopy(separate["sampler"])
    second["inputs"] |= {"latent": ["again", 0], "denoise": 0.5}
    separate["second"] = second
    separate["shown"] = node("Decode", vae=["load", 2], latent=["second", 0])
    separate["preview"] = node("PreviewImage", images=["shown", 0])
    run_graph(comfy, separate)
    assert value(comfy, "again")["samples"].shape == value(comfy, "sampler")["samples"].shape
    assert_clip(value(comfy, "shown"))


def test_the_chunk_of_decode_does_not_change_the_count(comfy: Comfy, separate: Graph) -> None:
    for chunk in (1, 4, 100):
        separate["decode"]["inputs"]["frames_per_chunk"] = chunk
        run_graph(comfy, separate)
        assert_clip(value(comfy, "decode"))
