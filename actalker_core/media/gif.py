"""Clips out as GIF: a palette for each frame, and times in hundredths of a second."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

MAX_FPS = 50
"""Browsers show a frame of less than 0.02 s for 0.1 s."""

TICK = Fraction(1, 100)
PALETTE = "stats_mode=single:reserve_transparent=0"
DITHER = "new=1:dither=bayer:bayer_scale=4"
"""A pattern that stays where it is: diffused errors would crawl over what rests."""

Pixels = NDArray[np.uint8]


def encode_gif(container: Any, frames: Iterator[Pixels], rate: Fraction) -> int:
    """Write frames, (H, W, 3) RGB, into a container of PyAV; return how many there were."""
    stream = container.add_stream("gif", rate=1 / TICK)
    stream.pix_fmt = "pal8"
    stream.codec_context.time_base = TICK
    count = 0
    for frame in _reduced(frames, rate):
        if not count:
            stream.height, stream.width = frame.height, frame.width
        for packet in stream.encode(frame):
            # Else the last frame has no duration: there is none after it to end it.
            packet.duration = _tick(count + 1, rate) - _tick(count, rate)
            container.mux(packet)
        count += 1
    return count


def _tick(number: int, rate: Fraction) -> int:
    """When a frame appears, in hundredths of a second; each is rounded alone: no error grows."""
    return round(number / rate / TICK)


def _reduced(frames: Iterator[Pixels], rate: Fraction) -> Iterator[Any]:
    """The frames in 256 colours each, with the times at which they appear."""
    graph = None
    for number, pixels in enumerate(frames):
        if graph is None:
            graph = _palette_graph(*pixels.shape[:2])
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.time_base, frame.pts = TICK, _tick(number, rate)
        graph.push(frame)
        yield from _pulled(graph)
    if graph is not None:
        graph.push(None)
        yield from _pulled(graph)


def _palette_graph(height: int, width: int) -> Any:
    graph: Any = av.filter.Graph()
    source = graph.add_buffer(width=width, height=height, format="rgb24", time_base=TICK)
    split, palette = graph.add("split"), graph.add("palettegen", PALETTE)
    use, sink = graph.add("paletteuse", DITHER), graph.add("buffersink")
    source.link_to(split)
    split.link_to(use, 0, 0)
    split.link_to(palette, 1, 0)
    palette.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()
    return graph


def _pulled(graph: Any) -> Iterator[Any]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield frame
