"""Whole graphs, queued as the server does: what runs, what does not, and what comes out."""

import importlib
import re
import wave
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from helpers.host import Comfy, image, speech
from PIL import Image
from torch import Tensor

SECONDS, FPS = 0.5, 12.5
FRAMES = 6
PICTURE, SOUND = "graphs_face.png", "graphs_speech.wav"
Graph = dict[str, Any]


@pytest.fixture(scope="module", autouse=True)
def media(comfy: Comfy) -> None:
    """A picture and speech in the input folder."""
    folder = comfy.base / "input"
    pixels = (image()[0].numpy() * 255).round().astype(np.uint8)
    Image.fromarray(pixels).save(folder / PICTURE)
    samples = (speech(SECONDS)["waveform"][0, 0].numpy() * 32767).astype("<i2")
    with wave.open(str(folder / SOUND), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())


@pytest.fixture
def node(comfy: Comfy) -> Callable[..., Any]:
    return comfy.node


@pytest.fixture
def separate(node: Callable[..., Any]) -> Graph:
    """Every step as a node of its own."""
    load = node("LoadModel", checkpoint="built-in")
    encoders, vae = ["load", 1], ["load", 2]
    return {
        "picture": node("LoadImage", image=PICTURE),
        "sound": node("LoadAudio", audio=SOUND),
        "driving": node("RepeatImageBatch", image=["picture", 0], amount=FRAMES),
        "load": load,
        "portrait": node(
            "PreparePortrait", image=["picture", 0], short_side_px=64, face="whole picture"
        ),
        "identity": node("EncodeIdentity", encoders=encoders, portrait=["portrait", 0]),
        "hear": node("EncodeAudio", encoders=encoders, audio=["sound", 0]),
        "watch": node(
            "EncodeMotion",
            encoders=encoders,
            frames=["driving", 0],
            frames_per_second=FPS,
            face="whole picture",
        ),
        "regions": node("RegionMasks", portrait=["portrait", 0]),
        "curve": node("Curve", curve_text="1"),
        "gates": node("Gates", audio_curve=["curve", 0]),
        "conditioning": node(
            "Conditioning",
            encoders=encoders,
            vae=vae,
            portrait=["portrait", 0],
            identity=["identity", 0],
            audio_signal=["hear", 0],
            expression_signal=["watch", 0],
            pose_signal=["watch", 1],
            audio_mask=["regions", 0],
            expression_mask=["regions", 1],
            gates=["gates", 0],
            audio=["sound", 0],
        ),
        "windows": node("Windows", model=["load", 0], window_frames=4),
        "sampler": node(
            "Sampler",
            model=["windows", 0],
            conditioning=["conditioning", 0],
            latent=["conditioning", 1],
            steps=2,
        ),
        "decode": node("Decode", vae=vae, latent=["sampler", 0]),
        "video": node(
            "CreateVideo",
            images=["decode", 0],
            fps=["conditioning", 3],
            audio=["conditioning", 4],
        ),
        "save": node(
            "SaveVideo",
            video=["video", 0],
            filename_prefix="graphs/separate",
            format="auto",
            codec="auto",
        ),
    }


@pytest.fixture
def talk(node: Callable[..., Any]) -> Callable[..., Graph]:
    def make(audio: bool, driving: bool, **more: Any) -> Graph:
        given: dict[str, Any] = {"audio": ["sound", 0]} if audio else {}
        given |= {"driving_frames": ["driving", 0]} if driving else {}
        return {
            "picture": node("LoadImage", image=PICTURE),
            "sound": node("LoadAudio", audio=SOUND),
            "driving": node("RepeatImageBatch", image=["picture", 0], amount=FRAMES),
            "load": node("LoadModel", checkpoint="built-in"),
            "talk": node(
                "Talk",
                model=["load", 0],
                encoders=["load", 1],
                vae=["load", 2],
                portrait_image=["picture", 0],
                frames_per_second=FPS,
                steps=2,
                short_side_px=64,
                face="whole picture",
                **(given | more),
            ),
            "preview": node("PreviewImage", images=["talk", 0]),
        }

    return make


def value(comfy: Comfy, name: str, slot: int = 0) -> Any:
    return comfy.output(name, slot)


def succeeded(comfy: Comfy, graph: Graph) -> Any:
    run = comfy.queue(deepcopy(graph))
    assert run.success, (run.error, run.message)
    return run


def assert_clip(frames: Tensor, count: int = FRAMES, side: int = 64) -> None:
    assert frames.shape == (count, side, side, 3)
    assert frames.dtype == torch.float32
    assert frames.isfinite().all()
    assert frames.min() >= 0
    assert frames.max() <= 1


# The whole trip -----------------------------------------------------------------------------------


def test_talk_alone_makes_a_clip_and_its_sound(comfy: Comfy, talk: Any) -> None:
    run = succeeded(comfy, talk(audio=True, driving=True))
    assert "talk" in run.ran
    assert_clip(value(comfy, "talk"))
    assert value(comfy, "talk", 1)["waveform"].shape == (1, 1, round(FRAMES / FPS * 16_000))
    assert value(comfy, "talk", 2) == FPS


def test_talk_follows_speech_alone(comfy: Comfy, talk: Any) -> None:
    succeeded(comfy, talk(audio=True, driving=False))
    assert_clip(value(comfy, "talk"))


def test_talk_follows_a_driving_clip_alone(comfy: Comfy, talk: Any) -> None:
    succeeded(comfy, talk(audio=False, driving=True))
    assert_clip(value(comfy, "talk"))
    assert value(comfy, "talk", 1) is None


@pytest.mark.parametrize("audio", [True, False])
def test_talk_s_outputs_make_a_video(comfy: Comfy, talk: Any, node: Any, audio: bool) -> None:
    graph = talk(audio=audio, driving=True)
    graph["video"] = node("CreateVideo", images=["talk", 0], fps=["talk", 2], audio=["talk", 1])
    graph["save"] = node(
        "SaveVideo", video=["video", 0], filename_prefix="graphs/talk", format="auto", codec="auto"
    )
    succeeded(comfy, graph)
    _, _, sound = written(comfy, "talk")
    assert (sound is not None) == audio


def test_talk_without_anything_that_drives_says_so(comfy: Comfy, talk: Any) -> None:
    run = comfy.queue(talk(audio=False, driving=False))
    assert not run.success
    assert "audio" in run.message
    assert "driving clip" in run.message


@pytest.mark.parametrize("extend", ["hold", "loop", "ping-pong"])
def test_a_short_clip_is_made_longer(comfy: Comfy, talk: Any, extend: str) -> None:
    graph = talk(audio=True, driving=True, extend=extend)
    graph["driving"]["inputs"]["amount"] = 3
    succeeded(comfy, graph)
    assert_clip(value(comfy, "talk"))


def test_a_short_clip_ends_the_video(comfy: Comfy, talk: Any) -> None:
    graph = talk(audio=True, driving=True)
    graph["driving"]["inputs"]["amount"] = 3
    succeeded(comfy, graph)
    assert_clip(value(comfy, "talk"), 3)


def test_talk_gives_what_the_separate_nodes_give(comfy: Comfy, talk: Any, separate: Graph) -> None:
    succeeded(comfy, talk(audio=True, driving=True, seed=5))
    expected = value(comfy, "talk")
    separate["sampler"]["inputs"] |= {"seed": 5, "model": ["load", 0]}
    succeeded(comfy, separate)
    assert torch.allclose(value(comfy, "decode"), expected, atol=1e-5)


@pytest.mark.parametrize("signals", [("audio_signal",), ("expression_signal",), ("pose_signal",)])
def test_any_single_signal_is_enough(
    comfy: Comfy, separate: Graph, signals: tuple[str, ...]
) -> None:
    inputs = separate["conditioning"]["inputs"]
    for name in ("audio_signal", "expression_signal", "pose_signal"):
        if name not in signals:
            del inputs[name]
    succeeded(comfy, separate)
    assert_clip(value(comfy, "decode"))


# What is computed again ---------------------------------------------------------------------------


def test_the_same_graph_queued_twice_computes_nothing(comfy: Comfy, separate: Graph) -> None:
    succeeded(comfy, separate)
    assert succeeded(comfy, separate).ran == []


def test_the_same_talk_queued_twice_computes_nothing(comfy: Comfy, talk: Any) -> None:
    graph = talk(audio=True, driving=True, seed=3)
    assert "talk" in succeeded(comfy, graph).ran
    assert succeeded(comfy, graph).ran == []


def test_a_changed_gate_computes_only_what_depends_on_it(comfy: Comfy, separate: Graph) -> None:
    succeeded(comfy, separate)
    separate["curve"]["inputs"]["curve_text"] = "1 1 0"
    run = succeeded(comfy, separate)
    dependent = {"curve", "gates", "conditioning", "sampler", "decode", "video", "save"}
    assert set(run.ran) == dependent


def test_a_changed_seed_computes_only_what_depends_on_it(comfy: Comfy, separate: Graph) -> None:
    succeeded(comfy, separate)
    separate["sampler"]["inputs"]["seed"] = 99
    assert set(succeeded(comfy, separate).ran) == {"sampler", "decode", "video", "save"}


# Other packs' nodes -------------------------------------------------------------------------------


def drawn_masks(node: Any, kind: str) -> Graph:
    solid = node("SolidMask", value=1.0, width=64, height=64)
    if kind == "SolidMask":
        return {"mask": solid}
    if kind == "FeatherMask":
        edges = {"left": 16, "top": 16, "right": 16, "bottom": 16}
        return {"solid": solid, "mask": node("FeatherMask", mask=["solid", 0], **edges)}
    small = node("SolidMask", value=1.0, width=32, height=32)
    empty = node("SolidMask", value=0.0, width=64, height=64)
    place = {"x": 16, "y": 16, "operation": "add"}
    composed = node("MaskComposite", destination=["empty", 0], source=["small", 0], **place)
    return {"small": small, "empty": empty, "mask": composed}


@pytest.mark.parametrize("kind", ["SolidMask", "FeatherMask", "MaskComposite"])
def test_masks_of_comfyui_are_regions(comfy: Comfy, separate: Graph, node: Any, kind: str) -> None:
    graph = separate | drawn_masks(node, kind)
    graph["conditioning"]["inputs"]["audio_mask"] = ["mask", 0]
    succeeded(comfy, graph)
    assert_clip(value(comfy, "decode"))
    by_mask = value(comfy, "sampler")["samples"]
    graph["conditioning"]["inputs"]["audio_mask"] = ["regions", 1]
    succeeded(comfy, graph)
    assert (value(comfy, "sampler")["samples"] - by_mask).abs().max() > 1e-4


def test_a_mask_over_the_picture_means_the_same_as_one_over_the_portrait(
    comfy: Comfy, separate: Graph, node: Any
) -> None:
    found = []
    for width, height in ((64, 64), (80, 96)):
        graph = deepcopy(separate)
        graph["mask"] = node("SolidMask", value=1.0, width=width, height=height)
        graph["conditioning"]["inputs"]["audio_mask"] = ["mask", 0]
        succeeded(comfy, graph)
        found.append(value(comfy, "sampler")["samples"])
    assert torch.allclose(*found, atol=1e-4)


def test_own_masks_go_through_region_masks(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate["mask"] = node("SolidMask", value=1.0, width=64, height=64)
    separate["regions"]["inputs"]["own_audio_mask"] = ["mask", 0]
    separate["regions"]["inputs"]["own_expression_mask"] = ["mask", 0]
    succeeded(comfy, separate)
    assert value(comfy, "regions").shape == (1, 64, 64)
    assert (value(comfy, "regions") == 1).all()
    assert value(comfy, "regions", 2) == pytest.approx(1)


def test_the_face_region_is_a_mask_for_mask_nodes(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate["seen"] = node("MaskToImage", mask=["portrait", 2])
    separate["preview"] = node("PreviewImage", images=["seen", 0])
    succeeded(comfy, separate)
    assert value(comfy, "seen").shape == (1, 64, 64, 3)


def test_frames_of_empty_image_drive(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate["driving"] = node("EmptyImage", width=48, height=40, batch_size=FRAMES, color=0x8060FF)
    succeeded(comfy, separate)
    assert value(comfy, "watch", 3) == FRAMES
    assert_clip(value(comfy, "decode"))


@pytest.mark.parametrize(("fps", "frames"), [(25.0, 12), (50.0, 24), (30.0, 24)])
def test_a_video_s_own_frame_rate_is_respected(
    comfy: Comfy, separate: Graph, node: Any, fps: float, frames: int
) -> None:
    separate["driving"]["inputs"]["amount"] = frames
    separate["clip"] = node("CreateVideo", images=["driving", 0], fps=fps)
    separate["watch"]["inputs"]["frames"] = ["clip", 0]
    succeeded(comfy, separate)
    assert value(comfy, "watch", 3) == round(frames * FPS / fps)
    assert value(comfy, "watch").rate_hz == FPS
    assert value(comfy, "watch").seconds == pytest.approx(frames / fps)


def test_a_video_means_the_same_as_its_frames_at_its_rate(
    comfy: Comfy, separate: Graph, node: Any
) -> None:
    separate["driving"]["inputs"]["amount"] = 12
    separate["watch"]["inputs"]["frames_per_second"] = 25.0
    succeeded(comfy, separate)
    expected = value(comfy, "watch").features
    separate["clip"] = node("CreateVideo", images=["driving", 0], fps=25.0)
    separate["watch"]["inputs"] |= {"frames": ["clip", 0], "frames_per_second": 60.0}
    succeeded(comfy, separate)
    assert torch.equal(value(comfy, "watch").features, expected)


def test_a_video_file_drives_talk(comfy: Comfy, talk: Any, separate: Graph, node: Any) -> None:
    succeeded(comfy, separate)
    path = newest(comfy, "separate")
    (comfy.base / "input" / "driving.mp4").write_bytes(path.read_bytes())
    graph = talk(audio=False, driving=True)
    graph["driving"] = node("LoadVideo", file="driving.mp4")
    graph["parts"] = node("GetVideoComponents", video=["driving", 0])
    graph["talk"]["inputs"]["audio"] = ["parts", 1]
    succeeded(comfy, graph)
    assert_clip(value(comfy, "talk"))


def test_the_sampler_of_comfyui_and_the_node_give_one_clip(
    comfy: Comfy, separate: Graph, node: Any
) -> None:
    succeeded(comfy, separate)
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
    succeeded(comfy, separate)
    assert torch.equal(value(comfy, "sampler")["samples"], expected)


# Files --------------------------------------------------------------------------------------------


def newest(comfy: Comfy, prefix: str) -> Path:
    return sorted((comfy.base / "output" / "graphs").glob(f"{prefix}_*"))[-1]


def written(comfy: Comfy, prefix: str) -> tuple[int, float, float | None]:
    """Frames, frame rate and seconds of sound of the newest video."""
    with av.open(str(newest(comfy, prefix))) as file:
        rate = float(file.streams.video[0].average_rate)
        frames = sum(1 for _ in file.decode(video=0))
    with av.open(str(newest(comfy, prefix))) as file:
        if not file.streams.audio:
            return frames, rate, None
        samples = sum(frame.samples for frame in file.decode(audio=0))
        return frames, rate, samples / file.streams.audio[0].rate


@pytest.mark.parametrize("fps", [FPS, 25.0])
def test_the_written_video_has_the_clip_s_frames_rate_and_sound(
    comfy: Comfy, separate: Graph, fps: float
) -> None:
    separate["conditioning"]["inputs"]["fps"] = fps
    separate["watch"]["inputs"]["signal_fps"] = fps
    succeeded(comfy, separate)
    count = value(comfy, "conditioning", 2)
    assert count == int(FRAMES / FPS * fps)
    frames, rate, sound = written(comfy, "separate")
    assert frames == count
    assert rate == pytest.approx(fps, rel=1e-3)
    assert sound == pytest.approx(count / fps, abs=1024 / 16_000)


def test_saved_signals_are_listed_and_load_as_they_were(
    comfy: Comfy, separate: Graph, node: Any
) -> None:
    signals = {
        "audio_signal": ["hear", 0],
        "expression_signal": ["watch", 0],
        "pose_signal": ["watch", 1],
    }
    separate["keep"] = node("SaveSignals", filename_prefix="graphs/kept", **signals)
    succeeded(comfy, separate)
    saved = [value(comfy, name, slot) for name, slot in signals.values()]
    file = Path(value(comfy, "keep"))
    assert file.is_file()
    entry = f"{file.relative_to(comfy.base / 'output')} [output]"
    listed = comfy.info("ACTalker_LoadSignals")["input"]["required"]["signals_file"]
    assert entry in (listed[1]["options"] if len(listed) > 1 else listed[0])
    again = node("LoadSignals", signals_file=entry)
    separate |= {"again": again}
    for slot, name in enumerate(signals):
        separate["conditioning"]["inputs"][name] = ["again", slot]
    expected = value(comfy, "sampler")["samples"]
    succeeded(comfy, separate)
    for slot, signal in enumerate(saved):
        loaded = value(comfy, "again", slot)
        assert type(loaded) is type(signal)
        assert loaded.rate_hz == signal.rate_hz
        for name, track in signal.tracks.items():
            assert torch.equal(loaded.tracks[name], track)
    assert torch.equal(value(comfy, "sampler")["samples"], expected)


def test_signals_are_saved_under_a_new_name_each_time(comfy: Comfy, loaded: Any) -> None:
    audio = comfy.call("EncodeAudio", encoders=loaded[1], audio=speech(SECONDS))[0]
    given = {"filename_prefix": "graphs/twice", "audio_signal": audio}
    paths = {comfy.call("SaveSignals", **given)[0] for _ in range(3)}
    assert len(paths) == 3
    assert all(Path(path).is_file() for path in paths)


def test_signals_may_stand_in_the_input_folder(comfy: Comfy, loaded: Any, node: Any) -> None:
    audio = comfy.call("EncodeAudio", encoders=loaded[1], audio=speech(SECONDS))[0]
    path = comfy.call("SaveSignals", filename_prefix="graphs/moved", audio_signal=audio)[0]
    (comfy.base / "input" / "moved.safetensors").write_bytes(Path(path).read_bytes())
    found = comfy.call("LoadSignals", signals_file="moved.safetensors")
    assert torch.equal(found[0].states, audio.states)
    assert found[1:] == (None, None)


def test_a_file_of_signals_that_was_replaced_is_read_again(
    comfy: Comfy, loaded: Any, node: Any
) -> None:
    file = comfy.base / "input" / "replaced.safetensors"
    graph = {
        "load": node("LoadSignals", signals_file=file.name),
        "save": node("SaveSignals", filename_prefix="graphs/copy", audio_signal=["load", 0]),
    }
    for seconds in (0.5, 0.75):
        audio = comfy.call("EncodeAudio", encoders=loaded[1], audio=speech(seconds))[0]
        path = comfy.call("SaveSignals", filename_prefix="graphs/source", audio_signal=audio)[0]
        file.write_bytes(Path(path).read_bytes())
        assert "load" in succeeded(comfy, graph).ran
        assert value(comfy, "load").seconds == pytest.approx(audio.seconds)
    assert succeeded(comfy, graph).ran == []


# Decoding and pasting -----------------------------------------------------------------------------


def test_paste_back_leaves_pixels_outside_the_crop_untouched(
    comfy: Comfy, separate: Graph, node: Any
) -> None:
    separate["portrait"]["inputs"] |= {"face_box": "30,30,50,50", "expand": 1.5, "aspect": 1.0}
    separate["paste"] = node(
        "PasteBack", frames=["decode", 0], original=["picture", 0], portrait=["portrait", 0]
    )
    separate["preview"] = node("PreviewImage", images=["paste", 0])
    succeeded(comfy, separate)
    pasted, original = value(comfy, "paste"), value(comfy, "picture")
    left, top, right, bottom = value(comfy, "portrait").crop.box
    assert 0 < left < right < 80
    inside = torch.zeros(96, 80, dtype=torch.bool)
    inside[top:bottom, left:right] = True
    assert pasted.shape == (FRAMES, 96, 80, 3)
    assert torch.equal(pasted[:, ~inside], original.expand(FRAMES, -1, -1, -1)[:, ~inside])
    assert (pasted[:, inside] != original.expand(FRAMES, -1, -1, -1)[:, inside]).any()


def test_frames_of_the_portrait_itself_paste_back_as_they_were(
    comfy: Comfy, separate: Graph
) -> None:
    original = image(128, 128)
    box = {"face_box": "32,32,96,96", "expand": 1.0, "short_side_px": 64}
    portrait, shown, *_ = comfy.call("PreparePortrait", image=original, **box)
    given = {"frames": shown, "original": original, "portrait": portrait, "feather_px": 0}
    pasted = comfy.call("PasteBack", **given)[0]
    assert torch.allclose(pasted, original, atol=1e-5)


def test_decode_gives_what_vae_decode_gives(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate["plain"] = node("VAEDecode", samples=["sampler", 0], vae=["load", 2])
    separate["preview"] = node("PreviewImage", images=["plain", 0])
    succeeded(comfy, separate)
    assert torch.equal(value(comfy, "plain"), value(comfy, "decode"))


def test_the_tiled_decoder_of_comfyui_gives_a_clip(
    comfy: Comfy, separate: Graph, node: Any
) -> None:
    tiles = {"tile_size": 64, "overlap": 32, "temporal_size": 64, "temporal_overlap": 8}
    separate["plain"] = node("VAEDecodeTiled", samples=["sampler", 0], vae=["load", 2], **tiles)
    separate["preview"] = node("PreviewImage", images=["plain", 0])
    succeeded(comfy, separate)
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
    succeeded(comfy, separate)
    assert value(comfy, "again")["samples"].shape == value(comfy, "sampler")["samples"].shape
    assert_clip(value(comfy, "shown"))


def test_the_chunk_of_decode_does_not_change_the_count(comfy: Comfy, separate: Graph) -> None:
    for chunk in (1, 4, 100):
        separate["decode"]["inputs"]["frames_per_chunk"] = chunk
        succeeded(comfy, separate)
        assert_clip(value(comfy, "decode"))


# Words, monitor, preflight ------------------------------------------------------------------------


def test_words_choose_moments_of_a_driving_clip(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate |= {
        "bank": node(
            "BankOfSignal", expression_signal=["watch", 0], moments="0s: neutral; 0.3s: joyful"
        ),
        "words": node(
            "TextExpression",
            bank=["bank", 0],
            encoders=["load", 1],
            text="0s: neutral; 0.2s: happy",
        ),
    }
    separate["conditioning"]["inputs"]["expression_signal"] = ["words", 0]
    succeeded(comfy, separate)
    assert_clip(value(comfy, "decode"))
    assert value(comfy, "words").seconds == pytest.approx(4.0)


def test_words_choose_pictures_of_a_bank(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate |= {
        "grey": node("EmptyImage", width=80, height=96, batch_size=1, color=0x808080),
        "faces": node("ImageBatch", image1=["picture", 0], image2=["grey", 0]),
        "bank": node(
            "ExpressionBank",
            encoders=["load", 1],
            images=["faces", 0],
            captions="joyful\nneutral",
            face="whole picture",
        ),
        "words": node(
            "TextExpression", bank=["bank", 0], encoders=["load", 1], text="0s: neutral; 2s: joyful"
        ),
        "watched": node(
            "EncodeMotion", encoders=["load", 1], frames=["grey", 0], face="whole picture"
        ),
        "shown": node(
            "SaveSignals", filename_prefix="graphs/words", expression_signal=["words", 0]
        ),
        "reference": node(
            "SaveSignals", filename_prefix="graphs/words", expression_signal=["watched", 0]
        ),
    }
    succeeded(comfy, separate)
    words, neutral = value(comfy, "words"), value(comfy, "watched")
    assert torch.allclose(words.features[0], neutral.features[0], atol=1e-4)
    assert (words.features[-1] - neutral.features[0]).abs().max() > 1e-4


def test_the_monitor_draws_a_picture(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate["monitor"] = node(
        "SignalMonitor",
        encoders=["load", 1],
        portrait=["portrait", 0],
        audio_signal=["hear", 0],
        expression_signal=["watch", 0],
        pose_signal=["watch", 1],
        audio=["sound", 0],
        gates=["gates", 0],
        audio_mask=["regions", 0],
        expression_mask=["regions", 1],
    )
    separate["preview"] = node("PreviewImage", images=["monitor", 0])
    succeeded(comfy, separate)
    picture = value(comfy, "monitor")
    assert picture.ndim == 4
    assert picture.shape[0] == 1
    assert picture.shape[3] == 3
    assert min(picture.shape[1:3]) > 64
    assert picture.std() > 0.01
    separate["curve"]["inputs"]["curve_text"] = "0 0 0 1"
    succeeded(comfy, separate)
    assert not torch.equal(value(comfy, "monitor"), picture)


@pytest.mark.parametrize("curve", ["1", "1 1 1 1 0"])
@pytest.mark.parametrize("mode", ["tight", "cyclic"])
def test_preflight_names_the_evaluations_that_are_made(
    comfy: Comfy, separate: Graph, node: Any, curve: str, mode: str
) -> None:
    separate["windows"]["inputs"] |= {"window_frames": 3, "overlap_frames": 1, "mode": mode}
    separate["curve"]["inputs"]["curve_text"] = curve
    separate["sampler"]["inputs"] |= {"appearance_scale_end": 1.0, "steps": 3}
    scales = {k: v for k, v in separate["sampler"]["inputs"].items() if "_scale_" in k}
    separate["cost"] = node(
        "Preflight",
        model=["windows", 0],
        conditioning=["conditioning", 0],
        steps=3,
        measure_time=False,
        **scales,
    )
    made = counted(comfy, separate)
    report = value(comfy, "cost")
    assert int(re.search(r"(\d+) evaluations", report).group(1)) == made
    assert f"{FRAMES} frames" in report


def counted(comfy: Comfy, graph: Graph) -> int:
    """How many passes the UNet runs."""
    unet = importlib.import_module(f"{comfy.package}.actalker_core.models.actalker.unet.unet").UNet
    calls, forward = [], unet.forward

    def note(self: Any, *given: Any) -> Any:
        found = forward(self, *given)
        calls.append(len(found))
        return found

    unet.forward = note
    try:
        succeeded(comfy, graph)
    finally:
        unet.forward = forward
    return sum(calls)


def test_preflight_measures_a_time(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate["cost"] = node(
        "Preflight", model=["windows", 0], conditioning=["conditioning", 0], steps=2
    )
    succeeded(comfy, separate)
    assert re.search(r"about \d+ min \d+ s \(\d+\.\d\d s per", value(comfy, "cost"))


def test_edited_and_mixed_signals_drive(comfy: Comfy, separate: Graph, node: Any) -> None:
    separate |= {
        "later": node(
            "EditSignal",
            expression_signal=["watch", 0],
            pose_signal=["watch", 1],
            edit="smooth",
            value=0.2,
        ),
        "mixed": node(
            "MixSignals",
            first_expression_signal=["watch", 0],
            second_expression_signal=["later", 1],
        ),
    }
    separate["conditioning"]["inputs"]["expression_signal"] = ["mixed", 1]
    separate["conditioning"]["inputs"]["pose_signal"] = ["later", 2]
    succeeded(comfy, separate)
    assert_clip(value(comfy, "decode"))
