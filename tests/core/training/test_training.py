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
from actalker_core.learning.trainer import Batch, BatchDataset, Objective, TrainConfig, Trainer
from actalker_core.models.actalker.checkpoint import load, save
from actalker_core.models.actalker.config import VARIANTS
from actalker_core.models.actalker.encoders.motion import ResNet
from actalker_core.models.actalker.networks import ACTalker
from actalker_core.models.actalker.vae import build_vae
from actalker_core.synthetic.identities import FaceState, make_identity
from actalker_core.synthetic.rendering import render_face, stack_images
from actalker_core.training import __main__ as command
from actalker_core.training import autoencoder, curriculum, dataset, denoiser, face_encoders
from actalker_core.training.audio_encoder import AudioEncoderObjective
from actalker_core.training.autoencoder import (
    AutoencoderObjective,
    calibrate_latents,
    load_spatial_weights,
)
from actalker_core.training.curriculum import Curriculum, CurriculumConfig, build_ablations
from actalker_core.training.denoiser import (
    INDEPENDENCE_WEIGHT,
    PER_VIDEO,
    RESPONSE_WEIGHT,
    DenoiserObjective,
    contrast_weight,
    flatten_pairs,
)
from actalker_core.training.face_encoders import (
    EXPRESSION_PARTS,
    FACE_ENCODERS,
    FACE_PARTS,
    HEATMAP_SUM,
    FaceEncoderObjective,
    render_crops,
)
from actalker_core.training.samples import MODES, draw_mode_masks

CONFIG = VARIANTS["built-in"]
CPU = torch.device("cpu")
RECIPE = TrainConfig(
    steps=100, batch_size=2, learning_rate=1e-3, warmup_steps=1, ema_decay=0.9, log_every=1000
)


def random_samples(count: int = 4) -> dict[str, Tensor]:
    """As `encode_sample` makes them, of random numbers; the frames are the portrait."""
    random = torch.Generator().manual_seed(0)
    frames, audio = CONFIG.unet.num_frames, CONFIG.audio_projection

    def draw(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=random)

    face = (30.0, 16.0, 98.0, 112.0)
    masks = torch.stack([torch.cat(draw_mode_masks(mode, face))[:, 0].byte() for mode in MODES])
    portrait = 5 * draw(4, 16, 16)
    return {
        "portrait": portrait,
        "identity": draw(CONFIG.identity_projection.input_dim),
        "face_box": torch.tensor([face]).expand(count, 4),
        "target": portrait[:, None, None].expand(-1, 2, frames, -1, -1, -1),
        "weight": torch.ones(count, 2, frames, 1, 16, 16),
        "windows": draw(2, frames, audio.seq_len, audio.blocks, audio.channels),
        "features": draw(2, frames, CONFIG.expression_projection.input_dim),
        "rotation_degrees": 10 * draw(frames, 3),
        "gates": torch.rand(count, frames, 2, generator=random),
        "mode": torch.arange(count),
        "contrast": torch.arange(count) % 2,
        "masks": masks[:count],
    }


def make_denoiser(recipe: TrainConfig) -> Objective:
    faster = replace(recipe, batch_size=1, learning_rate=4e-3)
    return DenoiserObjective(CONFIG, faster, random_samples(), random_samples(1))


def make_audio_encoder(recipe: TrainConfig) -> Objective:
    objective = AudioEncoderObjective(CONFIG, replace(recipe, batch_size=1))
    objective.clip_count = 1
    return objective


MAKERS: dict[str, Callable[[TrainConfig], Objective]] = {
    "vae": lambda recipe: AutoencoderObjective(
        CONFIG, replace(recipe, batch_size=1, learning_rate=1e-4, muon_rate=1e-3)
    ),
    "expression": lambda recipe: FaceEncoderObjective(
        "expression", CONFIG, replace(recipe, batch_size=4)
    ),
    "head_pose": lambda recipe: FaceEncoderObjective(
        "head_pose", CONFIG, replace(recipe, batch_size=4)
    ),
    "identity": lambda recipe: FaceEncoderObjective(
        "identity", CONFIG, replace(recipe, batch_size=4)
    ),
    "audio_encoder": make_audio_encoder,
    "denoiser": make_denoiser,
}
STEPS = {"vae": 12, "expression": 12, "head_pose": 12, "identity": 12, "audio_encoder": 6}
STEPS |= {"denoiser": 16}


@pytest.mark.parametrize("name", MAKERS)
def test_a_stage_lowers_its_loss(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    objective = MAKERS[name](RECIPE)
    compute_loss, batch = objective.compute_loss, objective.make_batch(np.random.default_rng(0))

    def with_the_same_noise(batch: Batch) -> Tensor:
        torch.manual_seed(0)
        return compute_loss(batch)

    objective.compute_loss = with_the_same_noise  # type: ignore[method-assign]
    trainer = Trainer(objective, tmp_path, CPU)
    losses = [trainer._take_step(batch) for _ in range(STEPS[name])]
    assert np.mean(losses[-2:]) < 0.9 * losses[0]


@pytest.mark.parametrize("name", MAKERS)
def test_a_stage_learns_in_bfloat16(name: str) -> None:
    """As beside a GPU: the loss is about the same, gradients are finite."""
    torch.manual_seed(0)
    objective = MAKERS[name](RECIPE)
    batch = objective.make_batch(np.random.default_rng(0))
    losses = []
    for enabled in (False, True):
        torch.manual_seed(0)
        objective.network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = objective.compute_loss(batch)
        loss.backward()
        losses.append(loss.item())
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
    grads = [weight.grad for weight in objective.network.parameters() if weight.grad is not None]
    assert grads
    assert all(bool(grad.isfinite().all()) for grad in grads)


@pytest.mark.parametrize("name", MAKERS)
def test_the_loss_stays_on_its_device(name: str) -> None:
    """A device without numbers refuses tensors of the CPU, as a GPU would."""
    objective, meta = MAKERS[name](RECIPE), torch.device("meta")
    batch = objective.make_batch(np.random.default_rng(0))
    if isinstance(objective, DenoiserObjective):  # these two look at the numbers
        videos, frames = flatten_pairs(batch), batch["gates"].shape[1]
        regions = objective._make_regions(videos["masks"], (16, 16), frames).to(meta)
        pose = objective._draw_pose_images(videos["face_box"]).to(meta)
        objective._make_regions = lambda *_: regions  # type: ignore[method-assign]
        objective._draw_pose_images = lambda _: pose  # type: ignore[method-assign]
    objective.network.to(meta)
    assert objective.compute_loss({field: rows.to(meta) for field, rows in batch.items()}).is_meta


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Several threads may add in another order from run to trainer."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", MAKERS)
def test_a_stage_resumes_bit_for_bit(name: str, tmp_path: Path) -> None:
    def train(folder: Path, *stops: int) -> Trainer:
        for stop in stops:
            torch.manual_seed(0)
            trainer = Trainer(MAKERS[name](RECIPE), folder, CPU)
            trainer.train(last_step=stop)
        return trainer

    full, parts = train(tmp_path / "full", 3), train(tmp_path / "parts", 1, 3)
    assert parts.step == full.step == 3
    for a, b in zip(full.weights, parts.weights, strict=True):
        assert torch.equal(a, b)
    for a, b in zip(full.ema, parts.ema, strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_the_same_whoever_makes_them(workers: int, tmp_path: Path) -> None:
    objective = MAKERS["denoiser"](RECIPE)
    trainer = Trainer(objective, tmp_path, CPU, workers)
    for step, batch in enumerate(trainer._batches(3)):
        expected = BatchDataset(objective)[step]
        assert all(torch.equal(batch[name], expected[name]) for name in expected)


def test_a_stage_keeps_a_log_with_what_it_never_trained_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        Trainer(make_denoiser(replace(RECIPE, log_every=2)), tmp_path, CPU).train(last_step=3)
    lines = [json.loads(line) for line in (tmp_path / "denoiser.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 3]
    assert {"loss", "seconds", "sigma_3", "contrast_3"} <= set(lines[0])
    assert "denoiser: step 3" in caplog.text


def test_a_stage_stops_in_time(tmp_path: Path) -> None:
    trainer = Trainer(make_denoiser(RECIPE), tmp_path, CPU)
    trainer.train(deadline=0.0)
    assert trainer.step == 0
    assert not trainer.done


def test_another_stages_checkpoint_is_refused(tmp_path: Path) -> None:
    Trainer(make_denoiser(RECIPE), tmp_path, CPU).train(last_step=1)
    (tmp_path / "denoiser.pt").rename(tmp_path / "audio_encoder.pt")
    with pytest.raises(InputError, match="expected a checkpoint of this stage and these sizes"):
        Trainer(make_audio_encoder(RECIPE), tmp_path, CPU)


# The autoencoder ---------------------------------------------------------------------------------


def test_the_autoencoder_begins_with_the_right_colours() -> None:
    for seed in range(3):
        torch.manual_seed(seed)
        vae = AutoencoderObjective(CONFIG, RECIPE).network
        image = stack_images([render_face(make_identity(seed), FaceState()).image]) * 2 - 1
        with torch.no_grad():
            output = vae.decode(vae.encode(image), 1)
        coarse, expected = (torch.nn.functional.avg_pool2d(x, 16) for x in (output, image))
        inside = (coarse - expected)[:, :, 1:-1, 1:-1]
        assert inside.abs().mean() < 0.2


def test_what_is_learnt_without_time_is_the_same_with_it() -> None:
    trained_model = AutoencoderObjective(CONFIG, RECIPE).network.eval()
    full = build_vae(CONFIG.vae)
    load_spatial_weights(full, trained_model.state_dict())
    latents = torch.randn(3, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        single = torch.cat([trained_model.decode(latent[None], 1) for latent in latents])
        joint = full.decode(latents, 3)
    assert torch.allclose(single, joint, atol=1e-5)


def test_calibration_changes_latents_and_not_images() -> None:
    vae = build_vae(CONFIG.vae)
    images = (
        stack_images([render_face(make_identity(i), FaceState()).image for i in range(3)]) * 2 - 1
    )
    with torch.no_grad():
        before = vae.decode(vae.encode(images), 1)
        calibrate_latents(vae, images, 0.5)
        latent = vae.encode(images)
        variance = vae.quant_conv(vae.encoder(images)).chunk(2, dim=1)[1]
        after = vae.decode(latent, 1)
    assert float(latent.std() * 0.5) == pytest.approx(1, abs=1e-4)
    assert torch.allclose(before, after, atol=1e-4)
    assert float(variance.max() - variance.min()) < 1e-6


# Face encoders -----------------------------------------------------------------------------------


def test_heatmaps_lie_where_the_parts_are() -> None:
    batch = render_crops(np.random.default_rng(1), 3, FACE_ENCODERS["expression"])
    parts, numbers = batch["heatmaps"].split([len(FACE_PARTS), len(EXPRESSION_PARTS)], dim=1)
    assert torch.allclose(parts.sum((2, 3)), torch.tensor(HEATMAP_SUM))
    assert torch.allclose(numbers.sum((2, 3)), HEATMAP_SUM * batch["targets"][:, :-1], atol=1e-4)
    heights = (parts.mean(3) * torch.arange(8)).sum(2) / parts.mean(3).sum(2)
    eyes, brows, mouth = heights[:, :2], heights[:, 2:4], heights[:, 4:]
    assert (brows < eyes).all()
    assert (eyes < mouth).all()


@pytest.mark.parametrize("name", ["expression", "head_pose"])
def test_a_face_encoder_begins_with_few_active_features(name: str) -> None:
    torch.manual_seed(0)
    objective = FaceEncoderObjective(name, CONFIG, RECIPE)
    batch = objective.make_batch(np.random.default_rng(0))
    resnet = next(m for m in objective.encoder.modules() if isinstance(m, ResNet))
    with torch.no_grad():
        features = resnet.features(batch["images"])
        assert not resnet(batch["images"]).any()
    assert 0.01 < (features > 0).float().mean() < 0.25


# Pairs -------------------------------------------------------------------------------------------


def samples_of_mode(mode: str) -> Batch:
    """Random samples that all have the masks of a mode."""
    samples, row = random_samples(), MODES.index(mode)
    fixed_values = {name: samples[name][row].expand_as(samples[name]) for name in ("mode", "masks")}
    return samples | fixed_values


def test_videos_of_a_pair_share_all_but_their_own_fields() -> None:
    samples = random_samples()
    videos = flatten_pairs(samples)
    for name, field in samples.items():
        for video in range(2):
            expected = field[:, video] if name in PER_VIDEO else field
            assert torch.equal(videos[name][video::2], expected)


def test_what_nobody_owns_must_not_differ() -> None:
    for contrast, (lips, forehead) in enumerate(((True, False), (False, True))):
        samples = samples_of_mode("paper")
        counts = contrast_weight(samples | {"contrast": torch.full((4,), contrast)})[0, 0, 0]
        is_owned = counts == RESPONSE_WEIGHT
        assert set(counts.unique().tolist()) == {RESPONSE_WEIGHT, INDEPENDENCE_WEIGHT}
        assert bool(is_owned[12, 8]) == lips
        assert bool(is_owned[5, 8]) == forehead
        assert not is_owned[0, 15]  # a corner


@pytest.mark.parametrize("is_expected", [False, True])
def test_a_difference_between_videos_that_should_not_be_costs(
    is_expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = DenoiserObjective(CONFIG, RECIPE, samples_of_mode("released"), random_samples(1))
    batch = objective.make_batch(np.random.default_rng(0))
    batch["sigma"][:] = 1e6  # v is then the negative of what is clean
    if is_expected:
        batch["target"] = batch["target"].clone()
        batch["target"][:, 1] -= 1 / CONFIG.vae.scaling_factor

    def loss(contrast: float) -> float:
        clean = batch["target"][:, 0].float() * CONFIG.vae.scaling_factor
        velocity = -torch.stack([clean, clean - contrast], dim=1).flatten(0, 1)
        monkeypatch.setattr(objective, "predict_velocity", lambda *_: velocity)
        torch.manual_seed(0)
        return float(objective.compute_loss(batch))

    right, wrong = (1.0, 0.0) if is_expected else (0.0, 1.0)
    assert loss(right) < 1e-3
    assert loss(wrong) == pytest.approx(0.5 + RESPONSE_WEIGHT, rel=1e-3)


# The curriculum ----------------------------------------------------------------------------------


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Curriculum:
    few = TrainConfig(
        steps=2, batch_size=1, learning_rate=1e-4, warmup_steps=1, ema_decay=0.9, log_every=2
    )
    monkeypatch.setattr(dataset, "SPEECH_SECONDS", 2.0)
    monkeypatch.setattr(dataset, "MOTION_FRAMES", 12)
    monkeypatch.setattr(dataset.SampleStore, "SAMPLES_PER_FILE", 2)
    monkeypatch.setattr(AudioEncoderObjective, "clip_count", 1)
    monkeypatch.setattr(curriculum, "CALIBRATION_IMAGES", 2)
    monkeypatch.setattr(face_encoders, "VALIDATION_FACES", 2)
    monkeypatch.setattr(autoencoder, "VALIDATION_IMAGES", 1)
    monkeypatch.setattr(denoiser, "VALIDATION_SIGMAS", (3.0,))
    two = replace(few, batch_size=2)
    config = CurriculumConfig(
        few, two, two, two, few, few, speeches=1, motions=1, files=1, validation_samples=1
    )
    return Curriculum(tmp_path / "curriculum", config=config)


def test_one_command_runs_all_and_exports_a_model(short: Curriculum, tmp_path: Path) -> None:
    assert short.run()
    assert short.run()  # nothing is left to do
    short.export(tmp_path / "model.safetensors")
    trained_model, read = short.load_model(), load(tmp_path / "model.safetensors")
    assert read.config == CONFIG
    for name, value in read.state_dict().items():
        assert torch.allclose(value, trained_model.state_dict()[name], atol=1e-3, rtol=1e-3), name


def test_samples_are_the_same_for_a_seed(short: Curriculum, tmp_path: Path) -> None:
    assert short.run(("vae", *FACE_ENCODERS, "audio_encoder", "samples"))
    first = dataset.SampleStore(short.folder / "samples").read()
    (short.folder / "samples" / "0000.pt").unlink()
    assert short.run(("samples",))
    again = dataset.SampleStore(short.folder / "samples").read()
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_a_base_stands_in_for_what_is_not_trained(short: Curriculum, tmp_path: Path) -> None:
    file = tmp_path / "base.safetensors"
    torch.manual_seed(3)
    save(ACTalker(CONFIG).state_dict(), CONFIG, file, torch.float32)
    base_weights = load(file).state_dict()
    curriculum = replace(short, base=file, base_steps=1)
    assert curriculum.run(("samples", "denoiser"))
    assert [json.loads(line)["step"] for line in (short.folder / "denoiser.jsonl").open()] == [2]
    trained_model = curriculum.load_model().state_dict()
    for name, value in trained_model.items():
        change = (value - base_weights[name]).abs().max()
        is_trainable = name.startswith(("unet.", "pose_guider.")) or "_projection." in name
        assert change < 1e-2 if is_trainable else change == 0, name
    assert any((trained_model[name] != base_weights[name]).any() for name in trained_model)


def test_an_ablation_learns_its_denoiser_anew(short: Curriculum) -> None:
    curriculum = replace(short, base=Path("some"), base_steps=7)
    for ablation in build_ablations(curriculum, 5).values():
        assert (ablation.base, ablation.base_steps) == (Path("some"), 0)


def test_steps_of_a_base_need_the_base(short: Curriculum) -> None:
    with pytest.raises(InputError, match="Name it by --base"):
        replace(short, base_steps=1)._load_base()


def test_the_curriculum_says_what_is_missing(short: Curriculum) -> None:
    with pytest.raises(InputError, match=r"vae\.pt: expected a checkpoint. Run this stage first"):
        short.run(("samples",))
    with pytest.raises(InputError, match="stage: expected vae or expression"):
        short.run(("unet",))


def test_an_ablation_is_trained_and_measured_once(
    short: Curriculum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, page = [], tmp_path / "page.md"
    page.write_text("<!-- ablations -->\n<!-- /ablations -->\n")
    monkeypatch.setattr(
        Curriculum, "run", lambda self, names: runs.append(self.model_config.unet) or True
    )
    monkeypatch.setattr(Curriculum, "load_model", lambda self: None)
    monkeypatch.setattr(command, "evaluate", lambda *_: {"leak of audio": len(runs) / 10})
    arguments = ["ablate", "--folder", str(short.folder), "--page", str(page), "--cases", "1"]
    assert command.main([*arguments, "as built", "without mask-drop"]) == 0
    assert command.main([*arguments, "without mask-drop"]) == 0
    assert [sizes.mask_drop for sizes in runs] == [True, False]
    budget = "Budget: 2000 steps of the denoiser each. Cases: 1, each of 50 frames."
    assert budget in page.read_text()
    assert "| leak of audio | 0.10 | 0.20 | ≤ 0.15 |" in page.read_text()
    assert command.main([*arguments, "everything"]) == 1


def test_ablations_change_one_thing_each(short: Curriculum) -> None:
    curricula = build_ablations(short, 5)
    folders = {curriculum.denoiser_folder for curriculum in curricula.values()}
    assert len(folders) == len(curricula) == 4
    assert {curriculum.config.denoiser.steps for curriculum in curricula.values()} == {5}
    sizes = [curriculum.model_config.unet for curriculum in curricula.values()]
    assert sizes[0] == CONFIG.unet
    for size in sizes[1:]:
        fields = [k for k in vars(size) if getattr(size, k) != getattr(CONFIG.unet, k)]
        assert len(fields) == 1
