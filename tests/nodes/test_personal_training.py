"""Train Personal: it learns where nothing can learn, stops, goes on, and writes what is listed."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.host import Comfy
from helpers.node_refusals import read_refusal
from helpers.node_texts import texts_on_nodes
from helpers.recorded_faces import needs_model
from torch import Tensor

NAME, STEPS = "somebody", 3
NETWORK = f"{NAME}.safetensors"

pytestmark = [needs_model, pytest.mark.usefixtures("landmarker")]


@pytest.fixture(scope="module")
def frames(comfy: Comfy) -> Tensor:
    with torch.inference_mode():
        clip: Tensor = comfy.call("DemoMedia", seconds=0.4, person=3)[3]
        return clip


@pytest.fixture
def folders(comfy: Comfy) -> Iterator[tuple[Path, Path]]:
    """Of networks and of trainings; what tests leave there is gone afterwards."""
    networks, trainings = comfy.base / "models" / "actalker", comfy.base / "output"
    yield networks, trainings / "actalker_training"
    for path in [*networks.glob("*.safetensors"), *trainings.rglob("personal.*")]:
        path.unlink()
    comfy.node_module("tgdm.train").stops.clear()


@pytest.fixture(autouse=True)
def quick(comfy: Comfy, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tiny variant and few pairs, so that a step takes no time."""
    train, personal = comfy.node_module("tgdm.train"), comfy.core("models.tgdm.personal")
    recipe = train.replace(personal.RECIPE, batch_size=1)
    monkeypatch.setattr(train, "RECIPE", recipe)
    monkeypatch.setattr(train, "open_start", lambda: personal.open_start("tiny"))


def train(comfy: Comfy, frames: Tensor, **more: Any) -> Any:
    inputs = {"frames": frames, "file_name": NAME, "steps": STEPS} | more
    return comfy.execute("TrainPersonal", **inputs)


def read_step(folder: Path) -> int:
    """Steps of the one checkpoint of a folder."""
    [checkpoint] = folder.glob(f"{NAME}-*/personal.pt")
    return int(torch.load(checkpoint, weights_only=True)["step"])


def make_graph(comfy: Comfy, seconds: float = 0.4, **widgets: Any) -> dict[str, Any]:
    inputs = {"frames": ["media", 3], "file_name": NAME, "steps": STEPS} | widgets
    return {
        "media": comfy.node("DemoMedia", seconds=seconds, person=3),
        "train": comfy.node("TrainPersonal", **inputs),
    }


def test_it_learns_and_writes_what_load_tgdm_lists(
    comfy: Comfy, folders: tuple[Path, Path], frames: Tensor
) -> None:
    output = train(comfy, frames)
    tgdm, samples = output.args
    assert NETWORK in comfy.node_module("tgdm.bridge.network").list_networks()
    weights = tgdm.load().state_dict()
    for key, weight in comfy.call("LoadTGDM", checkpoint=NETWORK)[0].load().state_dict().items():
        assert torch.equal(weights[key], weight)
    start = comfy.core("models.tgdm.personal").open_start("tiny").state_dict()
    assert any(not torch.equal(weights[key], start[key].half().float()) for key in start)
    side = tgdm.load().config.side_px
    assert samples.shape[1] % side == 0
    assert samples.shape[2:] == (4 * side, 3)
    assert read_step(folders[1]) == STEPS
    [text] = output.ui.as_dict()["text"]
    assert NETWORK in text
    assert f"Step {STEPS} of {STEPS}: loss " in text


def test_loss_samples_and_cost_are_seen_while_it_runs(
    comfy: Comfy, folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: list[str] = []
    progress = comfy.node_module("common.progress")
    send_text = progress.send_text
    monkeypatch.setattr(progress, "send_text", lambda *a: texts.append(a[1]) or send_text(*a))
    monkeypatch.setattr(progress, "TEXT_INTERVAL_S", 0.0)
    reports: list[Any] = []
    bar = progress.StageBar
    report = bar.report
    monkeypatch.setattr(
        bar, "report", lambda self, *a: reports.append((a[0], a[3:])) or report(self, *a)
    )
    run = comfy.queue(make_graph(comfy))
    assert run.success, run.message
    costs = [text for text in texts if "10 frames, up to 3 steps on cpu" in text]
    losses = [i for i, text in enumerate(texts) if "loss " in text]
    assert costs
    assert texts.index(costs[0]) < losses[0], "before the wait"
    assert len(losses) == STEPS
    previews = [more[0] for stage, more in reports if stage == "Training" and more and more[0]]
    assert previews
    assert previews[0][1].width > 0
    assert "Written" in texts_on_nodes(run.events)["train"]


def test_a_cancelled_training_keeps_its_checkpoint_and_goes_on(
    comfy: Comfy, folders: tuple[Path, Path]
) -> None:
    import comfy.model_management as manage

    networks, trainings = folders

    def cancel(name: str, done: int, total: int) -> None:
        if name == "train" and list(trainings.glob(f"{NAME}-*")) and done > 400:
            manage.interrupt_current_processing()

    graph = make_graph(comfy, steps=4)
    with comfy.report_progress(cancel):
        run = comfy.queue(graph)
    manage.interrupt_current_processing(False)
    assert not run.success
    assert run.error is None
    step = read_step(trainings)
    assert 0 < step < 4
    assert not (networks / NETWORK).exists()
    again = comfy.queue(graph)
    assert again.success, again.message
    assert read_step(trainings) == 4
    lines = [path.read_text() for path in trainings.glob("*/personal.jsonl")]
    assert len(lines) == 1, "one folder"
    assert (networks / NETWORK).exists()


def test_minutes_end_it_and_queued_again_it_goes_on(
    comfy: Comfy, folders: tuple[Path, Path]
) -> None:
    networks, trainings = folders
    graph = make_graph(comfy, minutes=0.01, steps=1_000_000)
    run = comfy.queue(deepcopy(graph))  # in which ComfyUI notes what it knows
    assert run.success, run.message
    assert "queue it again to go on" in run.ui["train"]["text"][0]
    assert (networks / NETWORK).exists()
    step = read_step(trainings)
    again = comfy.queue(graph)
    assert again.ran == ["train"], "ComfyUI would else take the result that it has"
    assert read_step(trainings) > step


def test_what_is_done_is_not_done_again(comfy: Comfy, folders: tuple[Path, Path]) -> None:
    graph = make_graph(comfy, steps=2)
    assert comfy.queue(deepcopy(graph)).success
    assert comfy.queue(graph).ran == []


def test_another_clip_begins_anew(comfy: Comfy, folders: tuple[Path, Path], frames: Tensor) -> None:
    train(comfy, frames, steps=1)
    train(comfy, frames.flip(2), steps=1)
    assert len(list(folders[1].glob(f"{NAME}-*/personal.pt"))) == 2


def test_a_file_of_another_family_is_never_replaced(
    comfy: Comfy, folders: tuple[Path, Path], frames: Tensor
) -> None:
    path = folders[0] / "talker.safetensors"
    path.write_bytes((comfy.base / "tiny.safetensors").read_bytes())
    before = path.read_bytes()
    message = read_refusal(comfy, "TrainPersonal", frames=frames, file_name="talker")
    assert "talker.safetensors" in message
    assert path.read_bytes() == before
    run = comfy.queue(make_graph(comfy, file_name="talker"))
    assert not run.ran, "refused when it is queued"
    assert "talker.safetensors" in run.message


def test_a_clip_of_few_frames_is_refused_with_what_helps(
    comfy: Comfy, folders: tuple[Path, Path], frames: Tensor
) -> None:
    message = read_refusal(comfy, "TrainPersonal", frames=frames[:3], file_name=NAME)
    assert "at least 8 frames" in message
    assert not (folders[0] / NETWORK).exists()
