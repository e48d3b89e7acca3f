"""ComfyUI's progress bars and cancelling."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

import comfy.model_management
import comfy.utils
import numpy as np
from comfy_api.latest import io
from numpy.typing import NDArray
from PIL import Image

from ...actalker_core.progress import RemainingTime, Stages, format_seconds
from .node_text import list_warnings, send_text

PREVIEW_PX = 512
"""The longer side of what is shown while a node runs."""
BAR_PARTS = 1000
TEXT_INTERVAL_S = 0.3

NodeKind = type[io.ComfyNode]
Preview = tuple[str, Image.Image, int]


class StageBar:
    """One bar on a node from its start to its end; the stage's name stands on the node as text.

    Args:
        node: that runs; its schema asks for `io.Hidden.unique_id`.
        weights: of its stages; see `Stages`.
    """

    def __init__(self, node: NodeKind, weights: Mapping[str, float]) -> None:
        self._node, self._stages = node, Stages(weights)
        self._time = RemainingTime(time.monotonic)
        self._bar = comfy.utils.ProgressBar(BAR_PARTS)
        self._stage, self._sent_s, self._text, self._remark = "", 0.0, "", ""

    def report(
        self, stage: str, done: float, total: float | None, preview: Preview | None = None
    ) -> None:
        """Show how much of a stage is done, an image (H, W, 3), and how long the rest will take."""
        share = self._stages.advance(stage, done, total)
        self._bar.update_absolute(int(share * BAR_PARTS), BAR_PARTS, preview)
        left_s = self._time.measure(stage, done, total)
        now_s = time.monotonic()
        if stage != self._stage or now_s - self._sent_s >= TEXT_INTERVAL_S:
            self._stage, self._sent_s = stage, now_s
            count = f", {int(done)} of {total:g}" if total and total > 1 and done >= 1 else ""
            rest = "" if left_s is None else f", about {format_seconds(left_s)} left"
            self._say(f"{stage}{count}{rest}")

    def remark(self, line: str) -> None:
        """Keep a line below that of the stage, from its next report on."""
        self._remark = line

    def expect(self, stage: str, seconds: float) -> None:
        """Say how long a stage will take, before it begins."""
        self._time.expect(stage, seconds)
        self._sent_s = 0.0

    def _say(self, line: str) -> None:
        """Show a line, and what is remarked, below the warnings that there are."""
        lines = [line, self._remark] if line else []
        text = "\n".join([*list_warnings(), *filter(None, lines)])
        if text != self._text:
            self._text = text
            send_text(self._node, text)

    def close(self, *, is_done: bool) -> None:
        """Fill the bar, if all is done; only warnings stay on the node."""
        if is_done:
            self._stages.finish()
            self._bar.update_absolute(BAR_PARTS, BAR_PARTS)
        self._say("")


running_bar: ContextVar[StageBar | None] = ContextVar("running_bar", default=None)
"""Of the node that runs: every `Bar` that its work opens is a part of it."""


@contextmanager
def show_stages(node: NodeKind, weights: Mapping[str, float]) -> Iterator[StageBar]:
    """Join all bars of this block into one that goes from start to end, with the stage's name."""
    stop_if_cancelled()
    bar, is_done = StageBar(node, weights), False
    token = running_bar.set(bar)
    try:
        yield bar
        is_done = True
    finally:
        running_bar.reset(token)
        bar.close(is_done=is_done)


class Bar:
    """ComfyUI's bar, or a stage of it; each report also stops the work if the user cancelled it.

    Args:
        total: of what is counted. stage: its name within `show_stages`.
    """

    def __init__(self, total: int = 1, stage: str = "") -> None:
        stop_if_cancelled()
        self._total, self._stage, self._stages_bar = total, stage, running_bar.get()
        self._bar = None if self._stages_bar else comfy.utils.ProgressBar(total)
        if self._stages_bar and stage:
            self._stages_bar.report(stage, 0, total)

    def report(
        self, stage: str, done: float, total: float | None, preview: Preview | None = None
    ) -> None:
        """Show how much of a stage is done, and an image (H, W, 3); a `Report` of the core."""
        stop_if_cancelled()
        if self._stages_bar:
            self._stages_bar.report(stage, done, total, preview)
        elif self._bar:
            self._bar.update_absolute(int(done), total, preview)

    def expect(self, seconds: float) -> None:
        """Say before it begins how long it will take; only within `show_stages`."""
        if self._stages_bar:
            self._stages_bar.expect(self._stage, seconds)

    def count(self, done: int, total: int | None = None) -> None:
        """The same where there is one stage only."""
        self.report(self._stage, done, total or self._total)

    def show(self, image: NDArray[np.uint8], done: int) -> None:
        """Show an image (H, W, 3) that is done on the node, and how many are."""
        preview = ("JPEG", Image.fromarray(image), PREVIEW_PX)
        self.report(self._stage, done, self._total, preview)


def stop_if_cancelled() -> None:
    """Raise ComfyUI's own exception if the user pressed cancel."""
    comfy.model_management.throw_exception_if_processing_interrupted()
