"""The animated image of the first page, from what `python -m actalker_core demo` writes.

`make first-image` makes the demo and then this: the portrait with the region of each signal, the
driving video, the result, and the speech with the moment that is shown.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from actalker_core.control.regions import draw_region
from actalker_core.faces import Face
from actalker_core.media import Audio, VideoFrames, load_audio, load_image
from actalker_core.synthetic import demo

FPS = 12.5
SIDE, GAP, LABEL, WAVE = 256, 8, 26, 60
BLUE, ORANGE, INK, PAPER = (56, 118, 190), (224, 134, 48), (60, 60, 60), (255, 255, 255)
PAST, FUTURE = BLUE, (190, 205, 222)
LABELS = ("portrait and regions", "drives eyes and head", "result")
QUALITY = 72

Pixels = NDArray[np.uint8]


def draw_first_image(folder: Path, out: Path) -> None:
    """Write the animation from the folder of a demo."""
    portrait = with_regions(to_pixels(load_image(folder / "portrait.png")))
    driving, result = (
        [frame.permute(1, 2, 0).numpy() for frame in VideoFrames(folder / name, FPS)]
        for name in ("driving.mp4", "demo.mp4")
    )
    speech = load_audio(folder / "speech.wav")
    frames = [
        draw_frame((portrait, driving[i], result[i]), speech, i / len(result))
        for i in range(len(result))
    ]
    first, *others = frames
    first.save(
        out,
        save_all=True,
        append_images=others,
        duration=round(1000 / FPS),
        loop=0,
        quality=QUALITY,
        method=6,
    )


def with_regions(portrait: Pixels) -> Pixels:
    """The portrait with the mouth in blue and the rest of the face in orange."""
    height, width = portrait.shape[:2]
    face, image = Face(demo.locate_face(), confidence=1.0), portrait.astype(np.float32)
    for region, colour in (("mouth", BLUE), ("face-mouth", ORANGE)):
        mask = draw_region(region, face, height, width)[0, 0].numpy()[..., None]
        image += 0.4 * mask * (np.array(colour) - image)
    return image.round().astype(np.uint8)


def to_pixels(image: torch.Tensor) -> Pixels:
    """(3, h, w) in 0…1 -> (h, w, 3) in 0…255."""
    return (image.permute(1, 2, 0) * 255).round().byte().numpy()


def draw_frame(images: tuple[Pixels, ...], speech: Audio, time: float) -> Image.Image:
    """Three images beside each other, the speech below; `time` is the share that has passed."""
    width = len(images) * SIDE + (len(images) - 1) * GAP
    canvas = Image.new("RGB", (width, LABEL + SIDE + LABEL + WAVE), PAPER)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(16)
    for column, (image, label) in enumerate(zip(images, LABELS, strict=True)):
        left = column * (SIDE + GAP)
        draw.text((left + SIDE // 2, LABEL // 2), label, INK, font, "mm")
        scaled = Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        canvas.paste(scaled, (left, LABEL))
    top = LABEL + SIDE
    draw.text((width // 2, top + LABEL // 2), "the speech drives the lips", INK, font, "mm")
    heights = np.array(
        [np.abs(part).max() for part in np.array_split(speech.samples[0], width // 3)]
    )
    heights = heights / max(heights.max(), 1e-6) * (WAVE / 2 - 2)
    middle = top + LABEL + WAVE / 2
    for i, reach in enumerate(heights):
        colour = PAST if i / len(heights) <= time else FUTURE
        draw.line((3 * i, middle - reach, 3 * i, middle + reach), colour, 2)
    return canvas


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of the demo")
    parser.add_argument("--out", type=Path, required=True, help=".webp to write")
    options = parser.parse_args()
    draw_first_image(options.folder, options.out)
