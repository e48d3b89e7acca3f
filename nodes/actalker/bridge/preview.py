"""All frames of a clip, moving on the node while they are sampled."""

import base64
import io
import math
import time
from collections.abc import Sequence

import numpy as np
import torch
from comfy_execution.utils import get_executing_context
from PIL import Image
from server import PromptServer
from torch import Tensor

from ....actalker_core.models.actalker.config import ModelConfig
from ....actalker_core.models.actalker.preview import show_latents

EVENT = "actalker.preview"
"""What the pack's script `web/js/preview` listens to."""
MOST_SHARE = 0.02
"""Of the sampling time; a preview that would take more is left out."""
QUALITY = 80
MOST_PIXELS = 1 << 24
"""Of the picture of all frames, which browsers can draw: of longer clips some are left out."""


class FramePreview:
    """Sends the frames that are known so far to the page of whoever queued the clip.

    They travel as one JPEG of all frames in rows: forty times quicker to make than a file that
    moves by itself. Without a page nothing is made.

    Args:
        config: of the model. frames, fps: of the clip, without padding.
    """

    def __init__(self, config: ModelConfig, frames: int, fps: float) -> None:
        server = getattr(PromptServer, "instance", None)
        context = get_executing_context()
        self._client = getattr(server, "client_id", None)
        node = getattr(context, "node_id", None) or getattr(server, "last_node_id", None)
        self._server, self._node = server, node
        self._config, self._frames, self._fps = config, frames, fps
        self._images: Tensor | None = None
        self._is_known = torch.zeros(frames, dtype=torch.bool)
        self._start_s, self._spent_s, self._last_s = time.perf_counter(), 0.0, 0.0

    def add(self, frames: Sequence[int], x0: Tensor, *, is_last: bool = False) -> None:
        """Show the clean latents (f, 4, h, w) that are expected in some frames of the clip.

        Args:
            is_last: shown whatever it costs, as it is what remains.
        """
        now_s = time.perf_counter()
        most_s = MOST_SHARE * (now_s - self._start_s) - self._spent_s
        if self._client is None or self._server is None or self._node is None:
            return
        if not (is_last or self._last_s < most_s):
            return
        inside = [i for i, frame in enumerate(frames) if frame < self._frames]
        numbers = torch.tensor([frames[i] for i in inside], dtype=torch.long)
        latents = x0[inside].cpu()  # waits for a GPU, whose work is the sampler's
        now_s = time.perf_counter()
        images = show_latents(self._config, latents).mul(255).byte()
        if self._images is None:
            self._images = images.new_zeros(self._frames, *images.shape[1:])
        self._images[numbers] = images
        self._is_known[numbers] = True
        known_images = self._images[self._is_known].movedim(1, -1).numpy()
        stride = math.ceil(known_images[..., 0].size / MOST_PIXELS)
        self._server.send_sync(
            EVENT,
            {
                "node": str(self._node),
                "fps": self._fps / stride,
                **lay_out(known_images[::stride]),
            },
            self._client,
        )
        self._last_s = time.perf_counter() - now_s
        self._spent_s += self._last_s


def lay_out(images: np.ndarray) -> dict[str, object]:
    """Images (f, h, w, 3) of bytes in rows of one JPEG, and where to find each again."""
    frames, height, width, _ = images.shape
    columns = math.ceil(math.sqrt(frames))
    rows = math.ceil(frames / columns)
    sheet = np.zeros((rows * columns, height, width, 3), np.uint8)
    sheet[:frames] = images
    sheet = sheet.reshape(rows, columns, height, width, 3).swapaxes(1, 2)
    file = io.BytesIO()
    Image.fromarray(sheet.reshape(rows * height, columns * width, 3)).save(
        file, "JPEG", quality=QUALITY
    )
    return {
        "frames": frames,
        "columns": columns,
        "width": width,
        "height": height,
        "jpeg": base64.b64encode(file.getvalue()).decode("ascii"),
    }
