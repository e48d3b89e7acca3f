"""Whether shading tells photographs from drawn faces: the ranges of both, at whole images.

Photographs are that of matplotlib and, where they are, the portrait and the clip of shared/media.
"""

from collections.abc import Iterable, Iterator

from helpers.lights import LIGHTS
from helpers.portraits import full_face, image_size
from helpers.recorded_faces import DRIVING, PORTRAIT, TASK
from torch import Tensor

from actalker_core.faces import Box, open_landmarker
from actalker_core.faces.box import enlarge_box
from actalker_core.faces.landmarker import Landmarker
from actalker_core.faces.portrait import prepare_portrait
from actalker_core.faces.shading import measure_shading
from actalker_core.media import VideoFrames, load_image
from actalker_core.models.actalker.portrait import MAX_SHADING, locate_skin
from actalker_core.synthetic import demo
from benchmarks.harness import say

SIDE_PX = 128
"""Of the built-in model."""
PEOPLE, PEOPLE_IN_LIGHTS = 600, 80
CUTS = {"whole": None, "wide": 1.5, "close": 1.05}
"""Name -> how many times the face box is cut out."""
PHOTOGRAPH_CUTS = {**CUTS, "half length": 2.5}
CLIP_FPS = 2.0


def cut(image: Tensor, face: Box, times: float | None) -> Tensor:
    """An image (3, H, W) around a face box enlarged so many times, as somebody might crop it."""
    if times is None:
        return image
    height, width = image_size(image)
    x0, y0, x1, y1 = (round(edge) for edge in enlarge_box(face, times))
    return image[:, max(y0, 0) : min(y1, height), max(x0, 0) : min(x1, width)]


def measure(landmarker: Landmarker, images: Iterable[Tensor]) -> list[tuple[float, float]]:
    """Of whole images: shading of the face that is found in them, and of all of each."""
    shadings = []
    for image in images:
        portrait = prepare_portrait(image, full_face(*image_size(image)), SIDE_PX)
        boxes = locate_skin(portrait, lambda: landmarker), portrait.face.box
        shadings.append(tuple(measure_shading(portrait.image, box) for box in boxes))
    return shadings


def draw_people(count: int, times: float | None) -> Iterator[Tensor]:
    """People that the built-in model may be given."""
    for seed in range(demo.SEED, demo.SEED + count):
        yield cut(demo.render_portrait(seed), demo.locate_face(seed), times)


def read_photographs(landmarker: Landmarker, times: float | None) -> Iterator[Tensor]:
    """All photographs at hand, cut around the largest face of each."""
    images = [load_image(demo.find_photograph())]
    images += [load_image(PORTRAIT)] if PORTRAIT.is_file() else []
    frames = VideoFrames(DRIVING, CLIP_FPS) if DRIVING.is_file() else []
    for image in [*images, *(frame.float() / 255 for frame in frames)]:
        yield cut(image, landmarker.find(image, "largest")[0].box, times)


def row(name: str, shadings: list[tuple[float, float]], *, are_drawn: bool) -> str:
    """Ranges, and how many would be told wrongly."""
    of_faces, of_images = zip(*shadings, strict=True)
    wrong = sum((shading > MAX_SHADING) == are_drawn for shading in of_faces)
    verdict = f"   {wrong} WRONG" if wrong else ""
    ranges = "".join(f"{min(part):>9.2f} to {max(part):.2f}" for part in (of_faces, of_images))
    return f"   {name:<28}{len(shadings):>5}{ranges}{verdict}"


def main() -> None:
    landmarker = open_landmarker(TASK)
    say(f"\nShading of faces and of whole images; above {MAX_SHADING} it is taken for a photograph")
    for name, times in CUTS.items():
        shadings = measure(landmarker, draw_people(PEOPLE, times))
        say(row(f"drawn, {name}", shadings, are_drawn=True))
    for name, light in LIGHTS.items():
        shadings = measure(landmarker, map(light, draw_people(PEOPLE_IN_LIGHTS, None)))
        say(row(f"drawn, {name}", shadings, are_drawn=True))
    for name, times in PHOTOGRAPH_CUTS.items():
        shadings = measure(landmarker, read_photographs(landmarker, times))
        say(row(f"photographs, {name}", shadings, are_drawn=False))
