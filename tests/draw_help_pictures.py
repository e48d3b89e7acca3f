"""The pictures of the help pages: what a node does to a portrait, or what its text means.

`make help-pictures` draws them anew. The portrait is the one that matplotlib brings; words on the
pictures are those of widgets and options only, so that they serve every language.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from draw_first_image import LABEL as FIRST_LABEL
from draw_first_image import SIDE as FIRST_SIDE
from helpers.hopper import FPS, load_hopper
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from actalker_core import (
    MotionSignal,
    animate,
    find_face,
    load_mesh,
    open_landmarker,
    open_photograph,
    plan_photograph,
    prepare_portrait,
)
from actalker_core.control.curves import parse_curve
from actalker_core.control.motion.hand import move_by_hand
from actalker_core.control.motion.words import move_by_words
from actalker_core.control.regions import draw_style_masks
from actalker_core.control.words.prompt import parse_prompt
from actalker_core.diffusion.windows import Windows
from actalker_core.geometry.attributes import ATTRIBUTES, draw_attribute
from actalker_core.synthetic import demo

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "web" / "docs" / "images"
WIDTH, GAP, LABEL, FONT, QUALITY = 400, 4, 28, 20, 74
DARK, INK, BLUE, ORANGE = (23, 24, 28), (205, 205, 205), (90, 160, 240), (240, 150, 60)
TILE_SHAPE = 1.08
"""Height by width of a tile of a face."""

Pixels = NDArray[np.uint8]
Tile = tuple[Pixels, str]


def to_pixels(image: Tensor) -> Pixels:
    """(3, h, w) in 0…1 -> (h, w, 3) in 0…255."""
    return (image.permute(1, 2, 0) * 255).round().clamp(0, 255).byte().numpy()


class Sitter:
    """The portrait, its face, and how it moves."""

    def __init__(self) -> None:
        self.image = load_hopper()
        self.landmarker = open_landmarker()
        self.face = find_face(self.landmarker, self.image)
        self.mesh = load_mesh(self.landmarker.path)
        self.photograph = open_photograph(self.image, self.face, self.landmarker, self.mesh)

    def move(self, motion: MotionSignal) -> Pixels:
        """The last frame of a motion, around the face."""
        video = animate(plan_photograph(self.photograph, motion))
        frame = torch.cat(list(video.chunks))[-1]
        return self.cut(frame.permute(1, 2, 0).numpy())

    def pose(self, **numbers: float) -> Pixels:
        return self.move(move_by_hand(numbers))

    def cut(self, pixels: Pixels, reach: float = 1.6) -> Pixels:
        """The head; `reach` is the width in widths of the face."""
        left, top, right, bottom = self.face.box
        width, height = reach * (right - left), reach * (right - left) * TILE_SHAPE
        x, y = (left + right - width) / 2, (top + bottom - height) / 2 - 0.06 * height
        return pixels[max(int(y), 0) : int(y + height), max(int(x), 0) : int(x + width)]


def join(tiles: Sequence[Tile], columns: int) -> Image.Image:
    """Tiles in rows, each with its word below."""
    width = (WIDTH - GAP * (columns - 1)) // columns
    label = LABEL if any(word for _, word in tiles) else 0
    heights = [round(width * len(pixels) / pixels.shape[1]) for pixels, _ in tiles]
    rows = [max(heights[i : i + columns]) + label + GAP for i in range(0, len(tiles), columns)]
    canvas = Image.new("RGB", (WIDTH, sum(rows) - GAP), DARK)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(FONT)
    for i, ((pixels, word), height) in enumerate(zip(tiles, heights, strict=True)):
        x, y = i % columns * (width + GAP), sum(rows[: i // columns])
        tile = Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS)
        canvas.paste(tile, (x, y))
        draw.text((x + width // 2, y + height + label // 2), word, INK, font, "mm")
    return canvas


def draw_photograph(sitter: Sitter) -> Image.Image:
    poses: list[dict[str, float]] = [
        {},
        {"aaa": 0.6, "pitch": 3},
        {"smile": 0.8, "yaw": 10},
        {"yaw": -12, "gaze_x": -0.4, "brows": 0.5},
    ]
    return join([(sitter.pose(**pose), "") for pose in poses], 2)


def draw_face_editor(sitter: Sitter) -> Image.Image:
    poses = [
        *(("yaw", 15.0), ("pitch", 10.0), ("roll", 8.0)),
        *(("gaze_x", 0.5), ("wink", 1.0), ("brows", 1.0)),
        *(("smile", 0.8), ("aaa", 0.6), ("pucker", 0.8)),
    ]
    return join([(sitter.pose(**{name: v}), f"{name} {v:g}") for name, v in poses], 3)


def draw_words(sitter: Sitter) -> Image.Image:
    words = ("neutral", "joyful", "sad", "angry", "surprised", "disgust")
    return join(
        [
            (sitter.move(move_by_words(parse_prompt(word), seconds=1 / FPS, rate_hz=FPS)), word)
            for word in words
        ],
        3,
    )


def draw_regions(sitter: Sitter) -> Image.Image:
    """The audio's region in blue, that of expression and head in orange."""
    portrait = prepare_portrait(sitter.image, sitter.face, 512, expand=1.7)
    tiles = []
    for style in ("face", "paper", "halves", "landmarks"):
        image = to_pixels(portrait.image).astype(np.float32)
        masks = draw_style_masks(
            style,
            portrait.face,
            portrait.height,
            portrait.width,
            with_audio=True,
            with_expression=True,
        )
        for mask, colour in zip(masks, (BLUE, ORANGE), strict=True):
            image += 0.45 * mask[0, 0].numpy()[..., None] * (np.array(colour) - image)
        tiles.append((image.astype(np.uint8), style))
    return join(tiles, 2)


def draw_attributes(sitter: Sitter) -> Image.Image:
    landmarks, (height, width) = (
        np.asarray(sitter.face.landmarks, np.float64),
        sitter.image.shape[1:],
    )
    tiles = [
        (sitter.cut(draw_attribute(name, landmarks, sitter.mesh, (height, width)), 1.3), name)
        for name in ATTRIBUTES
    ]
    return join(tiles, 3)


def draw_crops(sitter: Sitter) -> Image.Image:
    """The whole image with what `expand` cuts out, and the cut."""
    whole = Image.fromarray(to_pixels(sitter.image))
    crops = {e: prepare_portrait(sitter.image, sitter.face, 512, expand=e) for e in (2.0, 1.4)}
    draw = ImageDraw.Draw(whole)
    for portrait, colour in zip(crops.values(), (BLUE, ORANGE), strict=True):
        draw.rectangle(portrait.crop.box, outline=colour, width=4)
    side = min(whole.size)
    tiles = [(np.asarray(whole)[:side], "expand 0")]
    tiles += [(to_pixels(p.image), f"expand {e:g}") for e, p in crops.items()]
    return join(tiles, 3)


def draw_talk(_: Sitter) -> Image.Image:
    """A moment of the first page's image, without words: portrait, driving video, result."""
    with Image.open(ROOT / "docs" / "images" / "demo.webp") as film:
        film.seek(film.n_frames // 3)
        frame = film.convert("RGB")
    top, bottom = FIRST_LABEL, FIRST_LABEL + FIRST_SIDE
    parts = [frame.crop((0, top, frame.width, bottom))]
    parts += [frame.crop((0, bottom + FIRST_LABEL, frame.width, frame.height))]
    return join([(np.asarray(part), "") for part in parts], 1)


def plot(
    shape: tuple[int, int], inches: float, draw: Callable[[Sequence[Axes]], None]
) -> Image.Image:
    """Dark axes in rows and columns."""
    figure = Figure(
        (WIDTH / 100, inches), 100, facecolor=np.array(DARK) / 255, layout="constrained"
    )
    canvas = FigureCanvasAgg(figure)
    axes = list(np.ravel(figure.subplots(*shape)))
    for axis in axes:
        axis.set_facecolor((0.13, 0.14, 0.17))
        axis.tick_params(colors="#aaa", labelsize=10)
        axis.spines[:].set_color("#555")
    draw(axes)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def draw_curves(_: Sitter | None) -> Image.Image:
    speech = demo.make_speech(4.0)
    texts = (
        *("0:0, 2:1, 4:0", "0:0 ease, 2:1 ease, 4:0", "0:1 hold, 2:0 hold, 3:1"),
        *("envelope", "invert envelope", "envelope * 0:1, 4:0"),
    )

    def draw(axes: Sequence[Axes]) -> None:
        seconds = np.arange(101) / FPS
        samples = np.abs(speech.samples[0])
        at = np.linspace(0, 4, len(samples))
        for axis, text in zip(axes, texts, strict=True):
            if "envelope" in text:
                axis.fill_between(at, samples / samples.max(), color="#3c4457", linewidth=0)
            values = parse_curve(text, 101, FPS, speech).numpy()
            axis.plot(seconds, values, color=np.array(BLUE) / 255, linewidth=2)
            axis.set(ylim=(-0.05, 1.05), xlim=(0, 4), xticks=range(5), yticks=(0, 1))
            axis.set_title(text, color="#ddd", fontsize=11)

    return plot((3, 2), 4.0, draw)


def draw_windows(_: Sitter | None) -> Image.Image:
    """Windows over the frames of a video, and how much each counts in each frame."""

    def draw(axes: Sequence[Axes]) -> None:
        for axis, overlap in zip(axes, (0, 6), strict=True):
            windows = Windows(25, overlap).at(0, 60)
            for i, window in enumerate(windows):
                colour = np.array((BLUE, ORANGE)[i % 2]) / 255
                axis.barh(i, len(window), left=window[0], height=0.8, color=colour, alpha=0.85)
            axis.set(xlim=(0, 60), yticks=[], ylim=(len(windows) - 0.4, -0.6))
            axis.set_title(f"overlap_frames {overlap}", color="#ddd", fontsize=11)

    return plot((2, 1), 2.4, draw)


PICTURES: dict[str, Callable[[Sitter], Image.Image]] = {
    "photograph": draw_photograph,
    "face_editor": draw_face_editor,
    "words": draw_words,
    "regions": draw_regions,
    "attributes": draw_attributes,
    "crops": draw_crops,
    "talk": draw_talk,
    "curves": draw_curves,
    "windows": draw_windows,
}


def draw_help_pictures(folder: Path, names: Sequence[str]) -> None:
    """Write pictures of `PICTURES` as WebP."""
    folder.mkdir(exist_ok=True)
    sitter = Sitter()
    for name in names:
        PICTURES[name](sitter).save(folder / f"{name}.webp", quality=QUALITY, method=6)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(PICTURES), help="of pictures; else all")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    draw_help_pictures(options.folder, options.names)
