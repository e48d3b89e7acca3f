"""Personal weights: pairs of a clip, training that stops and goes on, the file that is written."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.drawn_clips import draw_shots

from actalker_core.errors import CheckpointError, InputError
from actalker_core.geometry.mesh import FaceMesh
from actalker_core.models.actalker.checkpoint import BUILT_IN_PATH as ACTALKER_PATH
from actalker_core.models.tgdm.checkpoint import load_network, save_network
from actalker_core.models.tgdm.footage import Footage, make_footage
from actalker_core.models.tgdm.network import TGDM
from actalker_core.models.tgdm.personal import RECIPE, Progress, open_start, train_personal
from actalker_core.models.tgdm.personal_objective import PersonalObjective

CONFIG = replace(RECIPE, steps=4, batch_size=2, log_every=2)
CPU = torch.device("cpu")

Train = Callable[..., bool]


@pytest.fixture(scope="module")
def clip(mesh: FaceMesh) -> Footage:
    return make_footage(draw_shots(mesh), mesh, hold_out=1 / 3)


@pytest.fixture
def objective(clip: Footage, mesh: FaceMesh) -> PersonalObjective:
    return PersonalObjective(CONFIG, open_start("tiny"), [clip], mesh)


@pytest.fixture
def train(clip: Footage, mesh: FaceMesh, tmp_path: Path) -> Train:
    """Trains in a folder of a name from the same start, and writes NAME.safetensors."""

    def run(name: str, on_progress: Callable[[Progress], bool | None] | None = None) -> bool:
        objective = PersonalObjective(CONFIG, open_start("tiny"), [clip], mesh)
        out = tmp_path / f"{name}.safetensors"
        return train_personal(objective, out, tmp_path / name, CPU, on_progress=on_progress)

    return run


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    return load_network(path).state_dict()


def are_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_the_truth_of_a_pair_is_the_frame_and_the_network_reads_the_moved_source(
    objective: PersonalObjective, clip: Footage
) -> None:
    source, target = clip.sources[0], 15
    objective.network.config = replace(objective.network.config, side_px=128)
    pair = objective.make_pair(clip, source, target)
    assert np.array_equal(pair.target, clip.shots[target].image)
    assert np.array_equal(pair.source, clip.shots[source].image)
    errors = [
        np.abs(image.astype(float) - pair.target).mean()
        for image in (pair.frame.image, pair.source)
    ]
    assert errors[0] < 0.9 * errors[1], "the moved source is nearer to the truth"
    assert np.abs(pair.landmarks - clip.shots[target].landmarks)[:, :2].mean() < 1.5


def test_both_images_of_a_pair_are_the_same_square(
    objective: PersonalObjective, clip: Footage
) -> None:
    side = objective.network.config.side_px
    pair = objective.make_pair(clip, clip.sources[0], clip.sources[0])
    assert pair.source.shape == pair.target.shape == pair.frame.image.shape == (side, side, 3)
    assert np.abs(pair.frame.image.astype(int) - pair.target).mean() < 1


def test_frames_that_are_held_out_are_never_learnt_from(
    objective: PersonalObjective, clip: Footage, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames: list[int] = []
    make_pair = objective.make_pair
    monkeypatch.setattr(
        objective, "make_pair", lambda c, s, t, r: frames.extend((s, t)) or make_pair(c, s, t, r)
    )
    for step in range(30):
        objective.make_batch(np.random.default_rng(step))
    assert len(frames) == 4 * 30
    assert len(set(frames)) > 15
    assert not clip.held_out[frames].any()
    assert all(s != t for s, t in zip(frames[::2], frames[1::2], strict=True))


def test_measures_are_of_frames_that_are_held_out(
    objective: PersonalObjective, clip: Footage, mesh: FaceMesh
) -> None:
    with torch.no_grad():
        assert set(objective.validate()) == {"whole", "moved_whole"}
    open_clip = replace(clip, held_out=np.zeros(len(clip), bool))
    assert PersonalObjective(CONFIG, objective.network, [open_clip], mesh).validate() == {}


def test_a_clip_that_is_held_out_whole_teaches_nothing(
    objective: PersonalObjective, clip: Footage, mesh: FaceMesh
) -> None:
    still = replace(clip, held_out=np.ones(len(clip), bool))
    with pytest.raises(InputError, match="expected frames to train on"):
        PersonalObjective(CONFIG, objective.network, [still], mesh)
    pair = PersonalObjective(CONFIG, objective.network, [clip, still], mesh)
    first, second = (o.make_batch(np.random.default_rng(1)) for o in (objective, pair))
    assert are_equal(first, second)


def test_a_run_that_was_stopped_goes_on_to_the_bit(train: Train, tmp_path: Path) -> None:
    assert train("whole")
    assert not train("parts", lambda progress: progress.step < 2)
    early = weights_of(tmp_path / "parts.safetensors")
    assert train("parts")
    last = weights_of(tmp_path / "parts.safetensors")
    assert are_equal(weights_of(tmp_path / "whole.safetensors"), last)
    assert not are_equal(early, last)


def test_a_run_that_was_cancelled_goes_on_to_the_bit(train: Train, tmp_path: Path) -> None:
    def cancel(progress: Progress) -> None:
        progress.draw_samples()
        if progress.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train("cancelled", cancel)
    assert not (tmp_path / "cancelled.safetensors").exists()
    steps: list[int] = []
    assert train("cancelled", lambda progress: steps.append(progress.step))
    assert steps == [4]
    assert train("whole")
    assert are_equal(*(weights_of(tmp_path / f"{n}.safetensors") for n in ("whole", "cancelled")))


def test_whoever_watches_sees_loss_and_samples(train: Train) -> None:
    reports: list[Progress] = []
    sheets: list[np.ndarray] = []

    def watch(progress: Progress) -> None:
        reports.append(progress)
        sheets.append(progress.draw_samples())

    train("watched", watch)
    assert [(p.step, p.steps) for p in reports] == [(i, CONFIG.steps) for i in range(1, 5)]
    assert all(np.isfinite(p.loss) and p.loss > 0 for p in reports)
    rows, columns = np.array(sheets[0].shape[:2]) / 16
    assert (rows, columns) == (6, 4)
    assert not np.array_equal(sheets[0][:, 32:48], sheets[-1][:, 32:48]), "it learns"
    assert np.array_equal(sheets[0][:, 48:], sheets[-1][:, 48:])


def test_a_variant_that_is_not_shipped_starts_from_chance_and_a_file_where_it_was(
    network: TGDM, tmp_path: Path
) -> None:
    first, second = (open_start("tiny").state_dict() for _ in range(2))
    assert are_equal(first, second)
    path = tmp_path / "tiny.safetensors"
    save_network(network, path)
    start = open_start(start=path)
    assert are_equal(start.state_dict(), weights_of(path))
    assert all(weight.requires_grad for weight in start.parameters())


def test_starts_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="got one of ACTalker"):
        open_start(start=ACTALKER_PATH)
    with pytest.raises(CheckpointError, match="no such file"):
        open_start(start=tmp_path / "none.safetensors")
    with pytest.raises(InputError, match="Variant"):
        open_start("large")
