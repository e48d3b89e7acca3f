"""Scores as a Markdown table and as a figure of curves."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import matplotlib.figure
import numpy as np

from ..errors import InputError
from .evaluation import DrivingVideo, EvaluationCase, Evaluator, Scores, state_track

TARGETS = {
    "lip sync, audio alone": (0.80, None),
    "lip sync, both signals": (0.80, None),
    "following: eyes": (0.80, None),
    "following: yaw": (0.80, None),
    "leak of audio": (None, 0.15),
    "leak of expression": (None, 0.15),
    "mouth left at gate 0": (None, 0.15),
    "window seams": (None, 1.3),
}
"""Lower and upper bound that a trained model shall keep."""


def write_scores(columns: Mapping[str, Scores], path: Path) -> None:
    """Write scores, a column for each model or seed, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(columns, indent=1) + "\n")


def read_scores(paths: Iterable[Path]) -> dict[str, Scores]:
    """The columns of those files that exist."""
    columns: dict[str, Scores] = {}
    for path in paths:
        if path.is_file():
            columns |= json.loads(path.read_text())
    return columns


def format_table(columns: Mapping[str, Scores]) -> str:
    """A Markdown table, one column for each model or seed."""
    rows = [["measure", *columns, "target"], ["---"] * (len(columns) + 2)]
    for name in next(iter(columns.values())):
        values = [f"{column[name]:.2f}" for column in columns.values()]
        rows.append([name, *values, _format_target(name)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _format_target(name: str) -> str:
    lower, upper = TARGETS.get(name, (None, None))
    if lower is not None:
        return f"≥ {lower:.2f}"
    return "" if upper is None else f"≤ {upper:.2f}"


def replace_section(page: Path, mark: str, text: str) -> None:
    """Replace what stands between `<!-- mark -->` and `<!-- /mark -->` in a page.

    Raises:
        InputError: the page has no such marks.
    """
    before = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    after, count = pattern.subn(lambda m: f"{m[1]}{text}\n{m[2]}", before)
    if not count:
        raise InputError(f"{page}: expected the marks <!-- {mark} --> and <!-- /{mark} -->.")
    page.write_text(after, encoding="utf-8")


def plot_curves(evaluator: Evaluator, case: EvaluationCase, path: Path) -> None:
    """A case's targets and results over time: mouth, eyes and head, and the mouth under a gate."""
    driving = DrivingVideo(case.identity, case.motion())
    speech, mouth_open = case.speech(), case.mouth()[:, 0]
    joint = evaluator.generate_video(case, speech=speech, driving=driving)
    curve, gate = case.triangle_gate()
    gate_video = evaluator.generate_video(case, speech=speech, driving=driving, audio_gate=curve)
    rows = [
        ("mouth open", mouth_open, joint.measure("open")),
        ("eyes", state_track(driving.states, "eyes"), joint.measure("eyes")),
        ("yaw", state_track(driving.states, "yaw"), joint.measure("yaw")),
        ("mouth open,\naudio gate 0-1-0", gate * mouth_open, gate_video.measure("open")),
    ]
    figure = matplotlib.figure.Figure(figsize=(9, 8), layout="constrained")
    axes = figure.subplots(len(rows), 1, sharex=True)
    seconds = np.arange(case.frames) / case.fps
    for axis, (title, target, result) in zip(axes, rows, strict=True):
        axis.plot(seconds, target, color="black", linewidth=1, label="target")
        axis.plot(seconds, result, color="tab:red", label="measured on the pixels")
        axis.set_ylabel(title)
    axes[-1].plot(seconds, gate, ":", color="grey", label="gate")
    axes[-1].set_xlabel("seconds")
    axes[0].legend(loc="upper right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
