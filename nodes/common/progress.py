"""ComfyUI's progress bars and cancelling."""

import comfy.model_management
import comfy.utils
import numpy as np
from numpy.typing import NDArray
from PIL import Image

PREVIEW_PX = 512
"""The longer side of what is shown while a node runs."""


class Bar:
    """ComfyUI's bar; each report also stops the work if the user cancelled it."""

    def __init__(self, total: int = 1) -> None:
        stop_if_cancelled()
        self._bar = comfy.utils.ProgressBar(total)

    def report(self, stage: str, done: int, total: int | None) -> None:
        """Show how much of a stage is done; the core calls it as its `Report`."""
        stop_if_cancelled()
        self._bar.update_absolute(done, total)

    def count(self, done: int, total: int | None = None) -> None:
        """The same where there is one stage only."""
        self.report("", done, total)

    def show(self, image: NDArray[np.uint8], done: int) -> None:
        """Show an image (H, W, 3) that is done on the node, and how many are."""
        stop_if_cancelled()
        preview = ("JPEG", Image.fromarray(image), PREVIEW_PX)
        self._bar.update_absolute(done, None, preview)


def stop_if_cancelled() -> None:
    """Raise ComfyUI's own exception if the user pressed cancel."""
    comfy.model_management.throw_exception_if_processing_interrupted()
