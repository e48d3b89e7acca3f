"""While a node runs: one bar, the stage's name, a preview of all frames, how long it takes."""

import base64
import io
import json
import time
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from helpers.host import REPOSITORY, Comfy
from helpers.node_texts import list_texts
from helpers.recorded_faces import needs_model
from PIL import Image

FRAMES, FPS = 7, 12.5
SIDE_PX = 64
PREVIEW_EVENT = "actalker.preview"


def talk_graph(comfy: Comfy, steps: int, **inputs: Any) -> dict[str, Any]:
    node = comfy.node
    return {
        "media": node("DemoMedia", seconds=1.0),
        "load": node("LoadModel"),
        "windows": node("Windows", model=["load", 0], window_frames=2),
        "talk": node(
            "Talk",
            model=["windows", 0],
            encoders=["load", 1],
            vae=["load", 2],
            portrait_image=["media", 0],
            audio=["media", 2],
            driving_frames=["media", 3],
            face="whole picture",
            short_side_px=SIDE_PX,
            max_frames=FRAMES,
            steps=steps,
            **inputs,
        ),
        "preview": node("PreviewImage", images=["talk", 0]),
    }


def sampling_graph(comfy: Comfy, steps: int, seed: int = 0) -> dict[str, Any]:
    node = comfy.node
    return {
        "media": node("DemoMedia", seconds=1.0),
        "load": node("LoadModel"),
        "portrait": node(
            "PreparePortrait", image=["media", 0], short_side_px=SIDE_PX, face="whole picture"
        ),
        "identity": node("EncodeIdentity", encoders=["load", 1], portrait=["portrait", 0]),
        "audio": node("EncodeAudio", encoders=["load", 1], audio=["media", 2]),
        "condition": node(
            "Conditioning",
            encoders=["load", 1],
            vae=["load", 2],
            portrait=["portrait", 0],
            identity=["identity", 0],
            audio_signal=["audio", 0],
            max_frames=FRAMES,
        ),
        "sampler": node(
            "Sampler",
            model=["load", 0],
            conditioning=["condition", 0],
            latent=["condition", 1],
            seed=seed,
            steps=steps,
        ),
        "decode": node("Decode", vae=["load", 2], latent=["sampler", 0], frames_per_chunk=2),
        "images": node("PreviewImage", images=["decode", 0]),
        "guider": node("Guider", model=["load", 0], conditioning=["condition", 0]),
        "noise": node("RandomNoise", noise_seed=seed),
        "euler": node("KSamplerSelect", sampler_name="euler"),
        "sigmas": node(
            "BasicScheduler", model=["load", 0], scheduler="karras", steps=steps, denoise=1.0
        ),
        "core": node(
            "SamplerCustomAdvanced",
            noise=["noise", 0],
            guider=["guider", 0],
            sampler=["euler", 0],
            sigmas=["sigmas", 0],
            latent_image=["condition", 1],
        ),
        "core_images": node("Decode", vae=["load", 2], latent=["core", 0]),
        "core_preview": node("PreviewImage", images=["core_images", 0]),
    }


def run(comfy: Comfy, graph: dict[str, Any]) -> tuple[Any, dict[str, list[float]]]:
    """What happened, and the shares that each node reported, in their order."""
    shares: dict[str, list[float]] = {}
    with comfy.report_progress(
        lambda node, done, total: shares.setdefault(node, []).append(done / total)
    ):
        ran = comfy.queue(graph)
    assert ran.success, ran.message
    return ran, shares


def texts_of(ran: Any, node: str) -> list[str]:
    """Texts on a node in their order."""
    return [text for name, text in list_texts(ran.events) if name == node]


def previews_of(ran: Any, node: str) -> list[dict[str, Any]]:
    return [data for event, data in ran.events if event == PREVIEW_EVENT and data["node"] == node]


def assert_one_bar(shares: list[float]) -> None:
    assert shares == sorted(shares)
    assert shares[0] < 0.1
    assert shares[-1] == 1
    assert sum(share == 1 for share in shares) <= 2, "it reaches its end once, and closes there"
    assert max(b - a for a, b in pairwise(shares)) < 0.5


@needs_model
@pytest.mark.usefixtures("landmarker")
def test_talk_has_one_bar_over_all_its_stages(comfy: Comfy) -> None:
    graph = talk_graph(comfy, steps=3)
    graph["talk"]["inputs"]["face"] = "largest"
    ran, shares = run(comfy, graph)
    assert_one_bar(shares["talk"])
    texts = texts_of(ran, "talk")
    lines = [
        text.splitlines()[-1] for text in texts if not text.startswith("Size: ") or "\n" in text
    ]
    stages = list(dict.fromkeys(line.split(",")[0] for line in lines))
    assert stages == [
        *("Finding the face", "Following the face"),
        *("Encoding audio", "Encoding expression", "Encoding head pose", "Encoding the portrait"),
        *("Sampling", "Decoding"),
    ]
    assert texts[-1].startswith("Size: "), "warnings stay on the node, no stage does"


def test_stages_without_their_input_take_no_room(comfy: Comfy) -> None:
    graph = talk_graph(comfy, steps=3)
    del graph["talk"]["inputs"]["driving_frames"]
    ran, shares = run(comfy, graph)
    assert_one_bar(shares["talk"])
    assert not any("head pose" in text for text in texts_of(ran, "talk"))


def test_sampler_and_decode_have_one_bar_each_and_say_what_they_do(comfy: Comfy) -> None:
    ran, shares = run(comfy, sampling_graph(comfy, steps=4))
    for node, stage in (("sampler", "Sampling"), ("decode", "Decoding")):
        assert_one_bar(shares[node])
        texts = texts_of(ran, node)
        assert texts[0] == stage
        assert texts[-1] == ""


@pytest.mark.parametrize("node", ["sampler", "core"])
def test_all_frames_are_previewed_by_any_sampler_with_the_guider(comfy: Comfy, node: str) -> None:
    seed = 1 + len(node)  # so that nothing comes from the cache
    ran, _ = run(comfy, sampling_graph(comfy, steps=4, seed=seed))
    previews = previews_of(ran, node)
    assert previews
    for preview in previews:
        assert (preview["frames"], preview["fps"]) == (FRAMES, FPS)
        sheet = Image.open(io.BytesIO(base64.b64decode(preview["jpeg"])))
        rows = -(-FRAMES // preview["columns"])
        assert sheet.size == (preview["columns"] * preview["width"], rows * preview["height"])
        assert np.asarray(sheet).std() > 1


def test_windows_are_previewed_as_they_are_known(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comfy.node_module("actalker.bridge.preview"), "MOST_SHARE", 1e9)
    ran, _ = run(comfy, talk_graph(comfy, steps=2))
    counts = [preview["frames"] for preview in previews_of(ran, "talk")]
    assert counts[:3] == [2, 4, 6]
    assert counts[-1] == FRAMES
    assert counts == sorted(counts)


def test_without_a_page_nothing_is_previewed(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    preview = comfy.node_module("actalker.bridge.preview")
    monkeypatch.setattr(comfy.server, "client_id", None, raising=False)
    monkeypatch.setattr(preview, "show_latents", None)
    config = comfy.core("models.actalker.config").VARIANTS["built-in"]
    preview.FramePreview(config, 2, FPS).add(range(2), torch.zeros(2, 4, 8, 8), is_last=True)


@pytest.fixture
def messages(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What a preview sends of a node that a page has queued."""
    messages: list[dict[str, Any]] = []
    monkeypatch.setattr(comfy.server, "client_id", "page", raising=False)
    monkeypatch.setattr(comfy.server, "last_node_id", "1", raising=False)
    monkeypatch.setattr(
        comfy.server, "send_sync", lambda event, data, client: messages.append(data)
    )
    return messages


def test_a_long_clip_is_previewed_by_some_of_its_frames(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch, messages: list[dict[str, Any]]
) -> None:
    preview = comfy.node_module("actalker.bridge.preview")
    config = comfy.core("models.actalker.config").VARIANTS["built-in"]
    monkeypatch.setattr(preview, "MOST_PIXELS", 3 * 32 * 32)
    clip = preview.FramePreview(config, FRAMES, FPS)
    clip.add(range(FRAMES), torch.zeros(FRAMES, 4, 8, 8), is_last=True)
    assert [(data["frames"], data["fps"]) for data in messages] == [(3, FPS / 3)]


def test_the_wait_for_a_gpu_is_not_the_cost_of_a_preview(
    comfy: Comfy, messages: list[dict[str, Any]]
) -> None:
    class Pending:
        """Latents that are computed once they are read."""

        def __getitem__(self, frames: list[int]) -> "Pending":
            return self

        def cpu(self) -> torch.Tensor:
            time.sleep(1)
            return torch.zeros(FRAMES, 4, 8, 8)

    preview = comfy.node_module("actalker.bridge.preview")
    config = comfy.core("models.actalker.config").VARIANTS["built-in"]
    clip = preview.FramePreview(config, FRAMES, FPS)
    clip._start_s -= 3600  # what a preview may cost is a share of the time so far
    clip.add(range(FRAMES), Pending())
    assert len(messages) == 1
    assert clip._spent_s < 0.9


def test_a_sheet_shows_each_frame_in_its_place(comfy: Comfy) -> None:
    levels = np.linspace(0, 255, FRAMES).round()
    images = np.broadcast_to(levels[:, None, None, None], (FRAMES, 16, 24, 3)).astype(np.uint8)
    layout = comfy.node_module("actalker.bridge.preview").lay_out(images)
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(layout["jpeg"]))))
    for i, level in enumerate(levels):
        row, column = divmod(i, layout["columns"])
        place = sheet[row * 16 : (row + 1) * 16, column * 24 : (column + 1) * 24]
        assert np.abs(place.astype(float) - level).max() <= 4


@pytest.mark.parametrize(("seconds", "says"), [(150.0, "Sampling, about 2 min left"), (40.0, "")])
def test_a_wait_of_minutes_is_said_before_it_begins(
    comfy: Comfy, monkeypatch: pytest.MonkeyPatch, seconds: float, says: str
) -> None:
    guider = comfy.node_module("actalker.bridge.guider")
    monkeypatch.setattr(guider, "predict_seconds", lambda *_: seconds)
    steps = 2 + int(seconds)  # so that nothing comes from the cache
    ran, _ = run(
        comfy,
        {
            **talk_graph(comfy, steps=2),
            "windows": comfy.node(
                "Windows", model=["load", 0], window_frames=2, shift_frames=steps
            ),
        },
    )
    lines = [text.splitlines()[-1] for text in texts_of(ran, "talk") if text]
    first = [line for line in lines if line.startswith("Sampling") and " of " not in line]
    assert (says in first) == bool(says)
    assert not any("left" in line for line in lines if " of 2" in line), "measured: it is quick"


def test_what_is_predicted_is_what_sampling_takes(comfy: Comfy, models: Any) -> None:
    """Within a factor: machines are busy. What is over at once is not measured before."""
    ran, _ = run(comfy, sampling_graph(comfy, steps=4))
    assert ran.success
    cost = comfy.node_module("actalker.bridge.cost")
    guider = comfy.output("guider")
    sigmas = comfy.output("sigmas").tolist()
    predict = partial(cost.predict_seconds, models[0], guider.conditioning, guider.guidance)
    assert 0 < predict([*sigmas[:-1]] * 10 + [0.0]) < 600
    assert predict([sigmas[0], 0.0]) is None


# The monitor, and messages -----------------------------------------------------------------------


def test_the_monitor_shows_itself_with_one_wire_from_conditioning(comfy: Comfy) -> None:
    graph = sampling_graph(comfy, steps=4)
    names = ("media", "load", "portrait", "identity", "audio", "condition")
    graph = {name: graph[name] for name in names}
    node = comfy.node
    graph["condition"]["inputs"] |= {"audio": ["media", 2], "max_frames": FRAMES}
    graph["wired"] = node("SignalMonitor", portrait=["portrait", 0], conditioning=["condition", 0])
    graph["typed"] = node(
        "SignalMonitor",
        portrait=["portrait", 0],
        audio_signal=["audio", 0],
        audio=["media", 2],
        encoders=["load", 1],
        max_frames=FRAMES,
    )
    ran, _ = run(comfy, graph)
    pictures = {name: output["images"] for name, output in ran.ui.items() if "images" in output}
    assert pictures.keys() == {"wired", "typed"}, "both are output nodes and show one picture"
    assert all(len(images) == 1 for images in pictures.values())
    assert torch.equal(comfy.output("wired"), comfy.output("typed"))
    typed_too = {
        **graph["wired"],
        "inputs": graph["wired"]["inputs"] | {"max_frames": 2, "fps": 8.0},
    }
    assert comfy.queue({**graph, "wired": typed_too}).success
    assert torch.equal(comfy.output("wired"), comfy.output("typed")), "what is typed has no say"


def test_the_monitor_refuses_another_conditioning(comfy: Comfy, portrait: Any) -> None:
    with pytest.raises(comfy.core("errors").InputError, match=r"of one node Conditioning"):
        comfy.call("SignalMonitor", portrait=portrait, conditioning=[[torch.zeros(1), {}]])


def test_what_a_clip_lacks_is_said_on_conditioning(comfy: Comfy) -> None:
    graph = sampling_graph(comfy, steps=4)
    names = ("media", "load", "portrait", "identity", "audio", "condition")
    graph = {name: graph[name] for name in names}
    node = comfy.node
    graph["longer"] = node("DemoMedia", seconds=2.5)
    graph["motion"] = node(
        "EncodeMotion", encoders=["load", 1], frames=["longer", 3], face="whole picture"
    )
    graph["half"] = node("Curve", curve_text="0.5")
    graph["gates"] = node("Gates", audio_curve=["half", 0])
    graph["condition"]["inputs"] |= {
        "expression_signal": ["motion", 0],
        "gates": ["gates", 0],
        "max_frames": 0,
    }
    graph["show"] = node("SignalMonitor", portrait=["portrait", 0], conditioning=["condition", 0])
    ran, _ = run(comfy, graph)
    (text,) = {text for text in texts_of(ran, "condition") if text}
    assert "ends with the audio signal after 0.96 s; the expression signal lasts 2.4" in text
    assert "audio gate is between 0 and 1 in 12 of 12 frames" in text


@needs_model
@pytest.mark.usefixtures("landmarker")
def test_frames_without_a_face_are_named_on_encode_motion(comfy: Comfy) -> None:
    frames = comfy.call("DemoMedia", seconds=0.4)[3].clone()
    frames[4:6] = 0.5
    encoders = comfy.call("LoadModel")[1]
    kind = comfy.nodes.NODE_CLASS_MAPPINGS["ACTalker_EncodeMotion"]
    inputs = comfy.fill_widgets("ACTalker_EncodeMotion", {"encoders": encoders, "frames": frames})
    (text,) = kind.EXECUTE_NORMALIZED(**inputs).ui.as_dict()["text"]
    assert "no face in" in text


def test_the_page_knows_the_name_of_each_stage(comfy: Comfy) -> None:
    """It tells them in its own language."""
    words = json.loads((REPOSITORY / "web" / "words" / "zh.json").read_text("utf-8"))
    bridge = [comfy.node_module(f"actalker.bridge.{name}") for name in ("guider", "vae")]
    stages = {bridge[0].SAMPLING, bridge[1].DECODING}
    tgdm = ("tgdm.refine", "tgdm.train", "tgdm.swap")
    for module in ("actalker.talk", "photograph.animate", *tgdm):
        stages |= set(comfy.node_module(module).STAGES)
    assert words["stages"].keys() == stages
