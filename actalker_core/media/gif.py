"""Frames coded as GIF: a palette for each, and times in hundredths of a second."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av

from .video_encoder import Pixels

MAX_FPS = 50
"""Browsers show a frame of less than 0.02 s for 0.1 s."""

TICK = Fraction(1, 100)
PALETTE = "stats_mode=single:reserve_transparent=0"
DITHER = "new=1:dither=bayer:bayer_scale=4"
"""A pattern that stays where it is: diffused errors would crawl over what rests."""


def encode_gif(container: Any, frames: Iterator[Pixels], rate: Fraction) -> int:
    """Write frames into an open container of PyAV.

    Args:
        frames: each (h, w, 3) RGB, all of one size.
        rate: frames per second, at most `MAX_FPS`.

    Returns:
        How many frames there were.
    """
    stream = container.add_stream("gif", rate=1 / TICK)
    stream.pix_fmt = "pal8"
    stream.codec_context.time_base = TICK
    count = 0
    for frame in _reduce_colours(frames, rate):
        if not count:
            stream.height, stream.width = frame.height, frame.width
        for packet in stream.encode(frame):
            # Else the last frame has no duration, for there is none after it to end it.
            packet.duration = _tick(count + 1, rate) - _tick(count, rate)
            container.mux(packet)
        count += 1
    return count


def _tick(number: int, rate: Fraction) -> int:
    """When a frame appears, in hundredths of a second; each is rounded alone: no error grows."""
    return round(number / rate / TICK)


def _reduce_colours(frames: Iterator[Pixels], rate: Fraction) -> Iterator[Any]:
    """The frames in 256 colours each, with the times at which they appear."""
    graph = None
    for number, pixels in enumerate(frames):
        if graph is None:
            graph = _build_palette_graph(*pixels.shape[:2])
        frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
        frame.time_base, frame.pts = TICK, _tick(number, rate)
        graph.push(frame)
        yield from _pull_frames(graph)
    if graph is not None:
        graph.push(None)
        yield from _pull_frames(graph)


def _build_palette_graph(height: int, width: int) -> Any:
    """A filter of FFmpeg that gives each frame the 256 colours that suit it best."""
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


def _pull_frames(graph: Any) -> Iterator[Any]:
    while True:
        try:
            frame = graph.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        yield frame
