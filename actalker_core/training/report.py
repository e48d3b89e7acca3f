"""Measures as a table and as curves, for people."""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import matplotlib.figure
import numpy as np

from ..errors import InputError
from .evaluate import Filmed, Measured, Performance, Scene, Studio, track_of

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
"""Least and most of what a trained model shall reach."""


def write_measures(columns: Mapping[str, Measured], path: Path) -> None:
    """Keep measures, a column for each model or seed, as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(columns, indent=1) + "\n")


def read_measures(paths: Iterable[Path]) -> dict[str, Measured]:
    """The columns of all those files that are there."""
    columns: dict[str, Measured] = {}
    for path in paths:
        if path.is_file():
            columns |= json.loads(path.read_text())
    return columns


def table(columns: Mapping[str, Measured]) -> str:
    """A Markdown table, one column for each model or seed."""
    rows = [["measure", *columns, "asked"], ["---"] * (len(columns) + 2)]
    for name in next(iter(columns.values())):
        values = [f"{column[name]:.2f}" for column in columns.values()]
        rows.append([name, *values, _asked(name)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _asked(name: str) -> str:
    least, most = TARGETS.get(name, (None, None))
    if least is not None:
        return f"≥ {least:.2f}"
    return "" if most is None else f"≤ {most:.2f}"


def put_into(page: Path, mark: str, text: str) -> None:
    """Replace what stands between `<!-- mark -->` and `<!-- /mark -->` in a page."""
    before = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    after, found = pattern.subn(lambda m: f"{m[1]}{text}\n{m[2]}", before)
    if not found:
        raise InputError(f"{page}: expected the marks <!-- {mark} --> and <!-- /{mark} -->.")
    page.write_text(after, encoding="utf-8")


def draw_curves(studio: Studio, scene: Scene, path: Path) -> None:
    """A scene's truth and result over time: mouth, eyes and head, and the mouth under a gate."""
    acted = Performance(scene.person, scene.motion())
    spoken, mouth = scene.speech(), scene.mouth()[:, 0]
    both = studio.film(scene, speech=spoken, driving=acted)
    curve, share = scene.rise_and_fall()
    faded = studio.film(scene, speech=spoken, driving=acted, audio_gate=curve)
    figure = matplotlib.figure.Figure(figsize=(9, 8), layout="constrained")
    axes = figure.subplots(4, 1, sharex=True)
    seconds = np.arange(scene.frames) / scene.fps
    _compare(axes[0], seconds, "mouth open", mouth, both, "open")
    for axis, name in ((axes[1], "eyes"), (axes[2], "yaw")):
        _compare(axis, seconds, name, track_of(acted.states, name), both, name)
    _compare(axes[3], seconds, "mouth open,\naudio gate 0-1-0", share * mouth, faded, "open")
    axes[3].plot(seconds, share, ":", color="grey", label="gate")
    axes[3].set_xlabel("seconds")
    axes[0].legend(loc="upper right")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def _compare(
    axis: "matplotlib.axes.Axes",
    seconds: np.ndarray,
    title: str,
    truth: np.ndarray,
    filmed: Filmed,
    name: str,
) -> None:
    axis.plot(seconds, truth, color="black", linewidth=1, label="asked")
    axis.plot(seconds, filmed.read(name), color="tab:red", label="read from the pixels")
    axis.set_ylabel(title)
