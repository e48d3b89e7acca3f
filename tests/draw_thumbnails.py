"""The pictures of the templates: four moments of what each graph makes, run in a ComfyUI.

    COMFYUI_PATH=~/comfy/ComfyUI .venv-comfy-0.3.64/bin/python tests/draw_thumbnails.py [number ...]

The one photograph is that of matplotlib, all other people are drawn.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import av
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT))

from helpers.http_host import (  # noqa: E402
    WORKFLOWS,
    Graph,
    Server,
    api_format,
    load_workflow,
    messages,
)
from helpers.recorded_faces import TASK  # noqa: E402

from actalker_core.synthetic import demo  # noqa: E402

SIDE, GAP, QUALITY = 512, 4, 86
MOMENTS = (0.1, 0.37, 0.63, 0.9)
DARK = (23, 24, 28)
HEAD = 0.66
"""The part of an upright photograph's width and top that is shown."""
ATTRIBUTES = ("shaded", "normals", "semantic", "lines")
WHOLE = ("14 Back into the wide shot", "12 Signals over time")
"""Graphs whose pictures are seen to their borders."""


def write_media(folder: Path) -> None:
    """A photograph, speech and a clip in the input folder, the first of their kind."""
    folder.mkdir(parents=True)
    with Image.open(demo.find_photograph()) as photograph:
        photograph.convert("RGB").save(folder / "a_photograph.png")
    media = folder.parent / "media"
    media.mkdir()
    _, speech, clip = demo.write_demo(media)
    speech.rename(folder / "a_speech.wav")
    clip.rename(folder / "b_clip.mp4")


def run(server: Server, graph: Graph) -> list[Image.Image]:
    """What a graph shows and saves; of a video its moments."""
    entry = server.run(graph)
    assert entry["status"]["status_str"] == "success", messages(entry, "execution_error")
    stills, moments = [], []
    for output in entry["outputs"].values():
        for file in output.get("images", []):
            path = server.base / file["type"] / file["subfolder"] / file["filename"]
            if path.suffix == ".mp4":
                moments = read_moments(path)
            else:
                stills.append(Image.open(path).convert("RGB"))
    return [*stills, *moments]


def read_moments(path: Path) -> list[Image.Image]:
    with av.open(str(path)) as file:
        frames = [frame.to_image() for frame in file.decode(video=0)]
    return [frames[int(share * len(frames))] for share in MOMENTS]


def find_node(graph: Graph, kind: str) -> str:
    return next(key for key, node in graph.items() if node["class_type"] == f"ACTalker_{kind}")


def draw(server: Server, name: str, steps: int) -> Image.Image:
    graph = api_format(load_workflow(name), server.info)
    for node in graph.values():
        if steps and "steps" in node["inputs"]:
            node["inputs"]["steps"] = steps
    if name.startswith("16"):
        images = []
        for attribute in ATTRIBUTES:
            graph[find_node(graph, "GeometryImages")]["inputs"]["attribute"] = attribute
            images += run(server, graph)
    elif name.startswith("17"):
        swap = graph[find_node(graph, "SwapStart")]["inputs"]
        show = {"class_type": "PreviewImage", "inputs": {"images": swap["source_image"]}}
        graph = {"0": show} | graph
        show = {"class_type": "PreviewImage", "inputs": {"images": swap["target_frames"]}}
        mask = {
            "class_type": "MaskToImage",
            "inputs": {"mask": [find_node(graph, "SwapStart"), 1]},
        }
        end = {"class_type": "PreviewImage", "inputs": {"images": ["mask", 0]}}
        images = run(server, graph | {"00": show, "mask": mask, "end": end})
    else:
        images = run(server, graph)
    if name.startswith("09"):
        images = [images[0], images[1], images[-1], images[-2]]
    if name.startswith("12"):
        images = [*images[-3:], images[0]]
    return join(images[-4:] if len(images) >= 4 else images[-1:], name in WHOLE)


def join(images: Sequence[Image.Image], is_whole: bool) -> Image.Image:
    """One picture, or four beside each other, as a square."""
    columns = 1 if len(images) == 1 else 2
    side = (SIDE - GAP * (columns - 1)) // columns
    canvas = Image.new("RGB", (SIDE, SIDE), DARK)
    for i, image in enumerate(images):
        left, top = i % columns * (side + GAP), i // columns * (side + GAP)
        tile = fit(image, side) if is_whole else cut(image, side)
        inset = (side - tile.width) // 2, (side - tile.height) // 2
        canvas.paste(tile, (left + inset[0], top + inset[1]))
    return canvas


def fit(image: Image.Image, side: int) -> Image.Image:
    scale = side / max(image.size)
    size = round(scale * image.width), round(scale * image.height)
    return image.resize(size, Image.Resampling.LANCZOS)


def cut(image: Image.Image, side: int) -> Image.Image:
    """A square of it: all of a square image, the head of an upright one."""
    length = round(min(image.size) * (HEAD if image.height > image.width else 1))
    left, top = (image.width - length) // 2, 0
    square = image.crop((left, top, left + length, top + length))
    return square.resize((side, side), Image.Resampling.LANCZOS)


def main(numbers: Sequence[str], steps: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "server"
        base.mkdir()
        write_media(base / "input")
        (base / "models" / "actalker").mkdir(parents=True)
        (base / "models" / "actalker" / TASK.name).symlink_to(TASK)
        server = Server(base)
        try:
            for path in WORKFLOWS:
                if not numbers or path.stem.split()[0] in numbers:
                    image = draw(server, path.stem, steps)
                    image.save(path.with_suffix(".jpg"), quality=QUALITY)
        finally:
            server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("numbers", nargs="*", help="of templates; else all")
    parser.add_argument("--steps", type=int, default=0, help="of sampling; 0: the model's own")
    options = parser.parse_args()
    main(options.numbers, options.steps)
