"""Every stage of the training learns, and goes on after an interruption as if there was none."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from actalker_core.errors import InputError
from actalker_core.models.actalker.checkpoint import load, save
from actalker_core.models.actalker.config import VARIANTS
from actalker_core.models.actalker.encoders.motion import ResNet
from actalker_core.models.actalker.networks import ACTalker
from actalker_core.models.actalker.vae import build_vae
from actalker_core.synthetic.identities import FaceState, make_identity
from actalker_core.synthetic.rendering import render_face, stack_images
from actalker_core.training import __main__ as command
from actalker_core.training import autoencoder, course, diffusion, library, watchers
from actalker_core.training.autoencoder import Autoencoder, calibrate, with_time
from actalker_core.training.course import Course, Plan, ablations
from actalker_core.training.diffusion import (
    INDEPENDENCE,
    PER_FILM,
    RESPONSE,
    Diffusion,
    as_films,
    emphasis,
)
from actalker_core.training.listener import Listener
from actalker_core.training.stage import Batch, Batches, Recipe, Run, Stage
from actalker_core.training.takes import SETUPS, setup_masks
from actalker_core.training.watchers import PART_SUM, PARTS, SEEN_AT, TASKS, Watcher, watched

CONFIG = VARIANTS["built-in"]
CPU = torch.device("cpu")
RECIPE = Recipe(steps=100, batch=2, learning_rate=1e-3, warm_up=1, average=0.9, report_every=1000)


def some_takes(count: int = 4) -> dict[str, Tensor]:
    """What `library` would make, of random numbers; the frames are the portrait."""
    random = torch.Generator().manual_seed(0)
    frames, audio = CONFIG.unet.num_frames, CONFIG.audio_projection

    def draw(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=random)

    face = (30.0, 16.0, 98.0, 112.0)
    masks = torch.stack([torch.cat(setup_masks(setup, face))[:, 0].byte() for setup in SETUPS])
    portrait = 5 * draw(4, 16, 16)
    return {
        "portrait": portrait,
        "identity": draw(CONFIG.identity_projection.input_dim),
        "face": torch.tensor([face]).expand(count, 4),
        "target": portrait[:, None, None].expand(-1, 2, frames, -1, -1, -1),
        "weight": torch.ones(count, 2, frames, 1, 16, 16),
        "windows": draw(2, frames, audio.seq_len, audio.blocks, audio.channels),
        "features": draw(2, frames, CONFIG.expression_projection.input_dim),
        "rotation": 10 * draw(frames, 3),
        "gates": torch.rand(count, frames, 2, generator=random),
        "setup": torch.arange(count),
        "differs": torch.arange(count) % 2,
        "masks": masks[:count],
    }


def make_diffusion(recipe: Recipe) -> Stage:
    faster = replace(recipe, batch=1, learning_rate=4e-3)
    return Diffusion(CONFIG, faster, some_takes(), some_takes(1))


def make_listener(recipe: Recipe) -> Stage:
    stage = Listener(CONFIG, replace(recipe, batch=1))
    stage.pieces = 1
    return stage


MAKERS: dict[str, Callable[[Recipe], Stage]] = {
    "vae": lambda recipe: Autoencoder(
        CONFIG, replace(recipe, batch=1, learning_rate=1e-4, hidden_rate=1e-3)
    ),
    "expression": lambda recipe: Watcher("expression", CONFIG, replace(recipe, batch=4)),
    "head_pose": lambda recipe: Watcher("head_pose", CONFIG, replace(recipe, batch=4)),
    "identity": lambda recipe: Watcher("identity", CONFIG, replace(recipe, batch=4)),
    "listener": make_listener,
    "diffusion": make_diffusion,
}
STEPS = {"vae": 12, "expression": 12, "head_pose": 12, "identity": 12, "listener": 6}
STEPS |= {"diffusion": 16}


@pytest.mark.parametrize("name", MAKERS)
def test_a_stage_lowers_its_loss(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    stage = MAKERS[name](RECIPE)
    learn, batch = stage.loss, stage.batch(np.random.default_rng(0))

    def with_the_same_noise(batch: Batch) -> Tensor:
        torch.manual_seed(0)
        return learn(batch)

    stage.loss = with_the_same_noise  # type: ignore[method-assign]
    run = Run(stage, tmp_path, CPU)
    losses = [run._take_step(batch) for _ in range(STEPS[name])]
    assert np.mean(losses[-2:]) < 0.9 * losses[0]


@pytest.mark.parametrize("name", MAKERS)
def test_a_stage_learns_in_bfloat16(name: str) -> None:
    """As beside a GPU: the loss is about the same, gradients are finite."""
    torch.manual_seed(0)
    stage = MAKERS[name](RECIPE)
    batch = stage.batch(np.random.default_rng(0))
    losses = []
    for enabled in (False, True):
        torch.manual_seed(0)
        stage.network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = stage.loss(batch)
        loss.backward()
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
    grads = [weight.grad for weight in stage.network.parameters() if weight.grad is not None]
    assert grads
    assert all(bool(grad.isfinite().all()) for grad in grads)


@pytest.mark.parametrize("name", MAKERS)
def test_the_loss_stays_on_its_device(name: str) -> None:
    """A device without numbers refuses tensors of the CPU, as a GPU would."""
    stage, meta = MAKERS[name](RECIPE), torch.device("meta")
    batch = stage.batch(np.random.default_rng(0))
    if isinstance(stage, Diffusion):  # these two look at the numbers
        films, frames = as_films(batch), batch["gates"].shape[1]
        regions = stage._regions(films["masks"], (16, 16), frames).to(meta)
        pose = stage._pose_images(films["face"]).to(meta)
        stage._regions = lambda *_: regions  # type: ignore[method-assign]
        stage._pose_images = lambda _: pose  # type: ignore[method-assign]
    stage.network.to(meta)
    assert stage.loss({field: rows.to(meta) for field, rows in batch.items()}).is_meta


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Several threads may add in another order from run to run."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", MAKERS)
def test_a_stage_resumes_bit_for_bit(name: str, tmp_path: Path) -> None:
    def trained(folder: Path, *stops: int) -> Run:
        for stop in stops:
            torch.manual_seed(0)
            run = Run(MAKERS[name](RECIPE), folder, CPU)
            run.train(until_step=stop)
        return run

    whole, parts = trained(tmp_path / "whole", 3), trained(tmp_path / "parts", 1, 3)
    assert parts.step == whole.step == 3
    for a, b in zip(whole.weights, parts.weights, strict=True):
        assert torch.equal(a, b)
    for a, b in zip(whole.average, parts.average, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_whoever_makes_them(workers: int, tmp_path: Path) -> None:
    stage = MAKERS["diffusion"](RECIPE)
    run = Run(stage, tmp_path, CPU, workers)
    for step, batch in enumerate(run._batches(3)):
        wanted = Batches(stage)[step]
        assert all(torch.equal(batch[name], wanted[name]) for name in wanted)


def test_a_stage_keeps_a_log_with_what_it_never_trained_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        Run(make_diffusion(replace(RECIPE, report_every=2)), tmp_path, CPU).train(until_step=3)
    lines = [json.loads(line) for line in (tmp_path / "diffusion.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 3]
    assert {"loss", "seconds", "sigma_3", "apart_3"} <= set(lines[0])
    assert "diffusion: step 3" in caplog.text


def test_a_stage_stops_in_time(tmp_path: Path) -> None:
    run = Run(make_diffusion(RECIPE), tmp_path, CPU)
    run.train(until_time=0.0)
    assert run.step == 0
    assert not run.done


def test_another_stage_s_checkpoint_is_refused(tmp_path: Path) -> None:
    Run(make_diffusion(RECIPE), tmp_path, CPU).train(until_step=1)
    (tmp_path / "diffusion.pt").rename(tmp_path / "listener.pt")
    with pytest.raises(InputError, match="expected a checkpoint of this stage and these sizes"):
        Run(make_listener(RECIPE), tmp_path, CPU)


# The autoencoder ---------------------------------------------------------------------------------


def test_the_autoencoder_begins_with_the_right_colours() -> None:
    for seed in range(3):
        torch.manual_seed(seed)
        vae = Autoencoder(CONFIG, RECIPE).network
        picture = stack_images([render_face(make_identity(seed), FaceState()).image]) * 2 - 1
        with torch.no_grad():
            seen = vae.decode(vae.encode(picture), 1)
        coarse, wanted = (torch.nn.functional.avg_pool2d(x, 16) for x in (seen, picture))
        inside = (coarse - wanted)[:, :, 1:-1, 1:-1]
        assert inside.abs().mean() < 0.2


def test_what_is_learnt_without_time_is_the_same_with_it() -> None:
    learnt = Autoencoder(CONFIG, RECIPE).network.eval()
    whole = build_vae(CONFIG.vae)
    with_time(whole, learnt.state_dict())
    latents = torch.randn(3, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        alone = torch.cat([learnt.decode(latent[None], 1) for latent in latents])
        together = whole.decode(latents, 3)
    assert torch.allclose(alone, together, atol=1e-5)


def test_calibration_changes_latents_and_not_pictures() -> None:
    vae = build_vae(CONFIG.vae)
    pictures = (
        stack_images([render_face(make_identity(i), FaceState()).image for i in range(3)]) * 2 - 1
    )
    with torch.no_grad():
        before = vae.decode(vae.encode(pictures), 1)
        calibrate(vae, pictures, 0.5)
        latent = vae.encode(pictures)
        variance = vae.quant_conv(vae.encoder(pictures)).chunk(2, dim=1)[1]
        after = vae.decode(latent, 1)
    assert float(latent.std() * 0.5) == pytest.approx(1, abs=1e-4)
    assert torch.allclose(before, after, atol=1e-4)
    assert float(variance.max() - variance.min()) < 1e-6


# What the watching networks are told ------------------------------------------------------------


def test_parts_are_told_where_they_are() -> None:
    batch = watched(np.random.default_rng(1), 3, TASKS["expression"])
    parts, numbers = batch["parts"].split([len(PARTS), len(SEEN_AT)], dim=1)
    assert torch.allclose(parts.sum((2, 3)), torch.tensor(PART_SUM))
    assert torch.allclose(numbers.sum((2, 3)), PART_SUM * batch["truth"][:, :-1], atol=1e-4)
    heights = (parts.mean(3) * torch.arange(8)).sum(2) / parts.mean(3).sum(2)
    eyes, brows, mouth = heights[:, :2], heights[:, 2:4], heights[:, 4:]
    assert (brows < eyes).all()
    assert (eyes < mouth).all()


@pytest.mark.parametrize("name", ["expression", "head_pose"])
def test_a_watcher_begins_with_few_features_that_speak(name: str) -> None:
    torch.manual_seed(0)
    stage = Watcher(name, CONFIG, RECIPE)
    batch = stage.batch(np.random.default_rng(0))
    resnet = next(m for m in stage.encoder.modules() if isinstance(m, ResNet))
    with torch.no_grad():
        features = resnet.features(batch["seen"])
        assert not resnet(batch["seen"]).any()
    assert 0.01 < (features > 0).float().mean() < 0.25


# Pairs -------------------------------------------------------------------------------------------


def takes_of(setup: str) -> Batch:
    """Some with the masks of a setup, none like another."""
    takes, row = some_takes(), SETUPS.index(setup)
    alike = {name: takes[name][row].expand_as(takes[name]) for name in ("setup", "masks")}
    return takes | alike


def test_films_of_a_pair_share_all_but_what_differs() -> None:
    takes = some_takes()
    films = as_films(takes)
    for name, field in takes.items():
        for film in range(2):
            own = field[:, film] if name in PER_FILM else field
            assert torch.equal(films[name][film::2], own)


def test_what_nobody_owns_must_not_differ() -> None:
    for differs, (lips, forehead) in enumerate(((True, False), (False, True))):
        takes = takes_of("paper")
        counts = emphasis(takes | {"differs": torch.full((4,), differs)})[0, 0, 0]
        owned = counts == RESPONSE
        assert set(counts.unique().tolist()) == {RESPONSE, INDEPENDENCE}
        assert bool(owned[12, 8]) == lips
        assert bool(owned[5, 8]) == forehead
        assert not owned[0, 15]  # a corner


@pytest.mark.parametrize("wanted", [False, True])
def test_films_that_differ_otherwise_than_they_should_cost(
    wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Diffusion(CONFIG, RECIPE, takes_of("released"), some_takes(1))
    batch = stage.batch(np.random.default_rng(0))
    batch["sigma"][:] = 1e6  # v is then the negative of what is clean
    if wanted:
        batch["target"] = batch["target"].clone()
        batch["target"][:, 1] -= 1 / CONFIG.vae.scaling_factor

    def loss(apart: float) -> float:
        clean = batch["target"][:, 0].float() * CONFIG.vae.scaling_factor
        answer = -torch.stack([clean, clean - apart], dim=1).flatten(0, 1)
        monkeypatch.setattr(stage, "velocity", lambda *_: answer)
        torch.manual_seed(0)
        return float(stage.loss(batch))

    right, wrong = (1.0, 0.0) if wanted else (0.0, 1.0)
    assert loss(right) < 1e-3
    assert loss(wrong) == pytest.approx(0.5 + RESPONSE, rel=1e-3)


# The course --------------------------------------------------------------------------------------


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Course:
    few = Recipe(steps=2, batch=1, learning_rate=1e-4, warm_up=1, average=0.9, report_every=2)
    monkeypatch.setattr(library, "SPEECH_SECONDS", 2.0)
    monkeypatch.setattr(library, "MOTION_FRAMES", 12)
    monkeypatch.setattr(library.Takes, "PER_FILE", 2)
    monkeypatch.setattr(Listener, "pieces", 1)
    monkeypatch.setattr(course, "CALIBRATION_PICTURES", 2)
    monkeypatch.setattr(watchers, "HELD_OUT_FACES", 2)
    monkeypatch.setattr(autoencoder, "HELD_OUT_PICTURES", 1)
    monkeypatch.setattr(diffusion, "HELD_OUT_SIGMAS", (3.0,))
    two = replace(few, batch=2)
    plan = Plan(few, two, two, two, few, few, speeches=1, motions=1, files=1, held_out=1)
    return Course(tmp_path / "course", plan=plan)


def test_one_command_runs_all_and_exports_a_model(short: Course, tmp_path: Path) -> None:
    assert short.run()
    assert short.run()  # nothing is left to do
    short.export(tmp_path / "model.safetensors")
    learnt, read = short.model(), load(tmp_path / "model.safetensors")
    assert read.config == CONFIG
    for name, value in read.state_dict().items():
        assert torch.allclose(value, learnt.state_dict()[name], atol=1e-3, rtol=1e-3), name


def test_takes_are_the_same_for_a_seed(short: Course, tmp_path: Path) -> None:
    assert short.run(("vae", *TASKS, "listener", "takes"))
    first = library.Takes(short.folder / "takes").read()
    (short.folder / "takes" / "0000.pt").unlink()
    assert short.run(("takes",))
    again = library.Takes(short.folder / "takes").read()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_base_stands_in_for_what_is_not_trained(short: Course, tmp_path: Path) -> None:
    file = tmp_path / "base.safetensors"
    torch.manual_seed(3)
    save(ACTalker(CONFIG).state_dict(), CONFIG, file, torch.float32)
    given = load(file).state_dict()
    based = replace(short, base=file, base_steps=1)
    assert based.run(("takes", "diffusion"))
    assert [json.loads(line)["step"] for line in (short.folder / "diffusion.jsonl").open()] == [2]
    learnt = based.model().state_dict()
    for name, value in learnt.items():
        moved = (value - given[name]).abs().max()
        trained = name.startswith(("unet.", "pose_guider.")) or "_projection." in name
        assert moved < 1e-2 if trained else moved == 0, name
    assert any((learnt[name] != given[name]).any() for name in learnt)


def test_an_ablation_learns_its_denoiser_anew(short: Course) -> None:
    based = replace(short, base=Path("some"), base_steps=7)
    for course_ in ablations(based, 5).values():
        assert (course_.base, course_.base_steps) == (Path("some"), 0)


def test_steps_of_a_base_need_the_base(short: Course) -> None:
    with pytest.raises(InputError, match="Name it by --base"):
        replace(short, base_steps=1)._base()


def test_the_course_says_what_is_missing(short: Course) -> None:
    with pytest.raises(InputError, match=r"vae\.pt: expected a checkpoint. Run this stage first"):
        short.run(("takes",))
    with pytest.raises(InputError, match="stage: expected vae or expression"):
        short.run(("unet",))


def test_an_ablation_is_trained_and_measured_once(
    short: Course, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, page = [], tmp_path / "page.md"
    page.write_text("<!-- ablations -->\n<!-- /ablations -->\n")
    monkeypatch.setattr(Course, "run", lambda self, names: ran.append(self.config.unet) or True)
    monkeypatch.setattr(Course, "model", lambda self: None)
    monkeypatch.setattr(command, "measure", lambda *_: {"leak of audio": len(ran) / 10})
    asked = ["ablate", "--folder", str(short.folder), "--page", str(page), "--scenes", "1"]
    assert command.main([*asked, "as built", "without mask-drop"]) == 0
    assert command.main([*asked, "without mask-drop"]) == 0
    assert [sizes.mask_drop for sizes in ran] == [True, False]
    budget = "Budget: 2000 steps of the denoiser each. Scenes: 1, each of 50 frames."
    assert budget in page.read_text()
    assert "| leak of audio | 0.10 | 0.20 | ≤ 0.15 |" in page.read_text()
    assert command.main([*asked, "everything"]) == 1


def test_ablations_change_one_thing_each(short: Course) -> None:
    courses = ablations(short, 5)
    folders = {each.denoiser_folder for each in courses.values()}
    assert len(folders) == len(courses) == 4
    assert {each.plan.diffusion.steps for each in courses.values()} == {5}
    sizes = [each.config.unet for each in courses.values()]
    assert sizes[0] == CONFIG.unet
    for changed in sizes[1:]:
        fields = [k for k in vars(changed) if getattr(changed, k) != getattr(CONFIG.unet, k)]
        assert len(fields) == 1
