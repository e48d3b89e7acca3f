"""Files are overwritten and the writer is killed: the old or the new one is whole every time.

    python tests/kill_writes.py --kills 20 --safetensors 0.4.5 --safetensors newest

A version of safetensors is fetched into a folder of its own, for this run alone.
"""

import argparse
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import safetensors
import torch
from helpers.tiny import TINY
from safetensors.torch import load_file

from actalker_core.control.signals import ExpressionSignal, Signals, load_signals, save_signals
from actalker_core.control.words.bank import Bank, load_bank, save_bank
from actalker_core.media import load_image, save_image, write_video
from actalker_core.models.actalker.checkpoint import save

ROWS = 1_500
WIDTH = 512
"""3 MB: long enough to be met in the middle."""


@dataclass(frozen=True)
class Written:
    """A kind of file, in each of which one small number is everywhere.

    Attributes:
        make: number -> content. write: path, content. read: path -> the number, after a look at
            all of the file.
    """

    suffix: str
    make: Callable[[int], Any]
    write: Callable[[Path, Any], object]
    read: Callable[[Path], int]


def everywhere(values: torch.Tensor) -> int:
    """The only number of a tensor."""
    (number,) = values.unique().tolist()
    return round(number)


def rows(number: int) -> torch.Tensor:
    return torch.full((ROWS, WIDTH), float(number))


def make_signals(number: int) -> Signals:
    return Signals(expression=ExpressionSignal(25.0, "", rows(number)))


def read_signals(path: Path) -> int:
    expression = load_signals(path).expression
    assert expression is not None
    assert len(expression) == ROWS
    return everywhere(expression.features)


def make_bank(number: int) -> Bank:
    return Bank(tuple(map(str, range(ROWS))), rows(number))


def read_bank(path: Path) -> int:
    bank = load_bank(path)
    assert len(bank) == ROWS
    return everywhere(bank.features)


def make_weights(number: int) -> dict[str, torch.Tensor]:
    return {f"unet.{part}": rows(number) for part in range(3)}


def save_weights(path: Path, weights: dict[str, torch.Tensor]) -> None:
    save(weights, TINY, path, torch.float16)


def read_checkpoint(path: Path) -> int:
    weights = load_file(path)
    assert list(weights) == [f"unet.{part}" for part in range(3)]
    return everywhere(torch.cat(list(weights.values())))


def make_clip(number: int) -> torch.Tensor:
    return torch.full((20, 3, 256, 256), 8 * number / 255)


def write_clip(path: Path, clip: torch.Tensor) -> None:
    write_video(path, [clip], 25)


def read_clip(path: Path) -> int:
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 20
    (number,) = {round(float(frame.mean()) / 8) for frame in frames}
    return number


def make_picture(number: int) -> torch.Tensor:
    noise = torch.rand(3, 700, 700, generator=torch.Generator().manual_seed(0))
    return torch.cat([torch.full((3, 1, 700), 8 * number / 255), noise], 1)


def read_picture(path: Path) -> int:
    picture = load_image(path)
    assert picture.shape == (3, 701, 700)
    return everywhere(picture[:, 0] * 255 / 8)


KINDS = {
    "signals": Written(".safetensors", make_signals, save_signals, read_signals),
    "bank": Written(".safetensors", make_bank, save_bank, read_bank),
    "checkpoint": Written(".safetensors", make_weights, save_weights, read_checkpoint),
    "video": Written(".mp4", make_clip, write_clip, read_clip),
    "picture": Written(".png", make_picture, save_image, read_picture),
}


def overwrite(kind: Written, path: Path, number: int, begun: Any) -> None:
    """In another process, which forked and so must not use torch's threads."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a background job
    content = kind.make(number)
    begun.set()
    failed = 1
    try:
        kind.write(path, content)
        failed = 0
    finally:
        os._exit(failed)  # at once: what is met is the writing


def run(kind: Written, path: Path, number: int, stop: int | None, delay: float) -> float:
    """Overwrite a file in another process; stop that after a while. Return how long it took."""
    forked = multiprocessing.get_context("fork")
    begun = forked.Event()
    writer = forked.Process(target=overwrite, args=(kind, path, number, begun))
    writer.start()
    begun.wait()
    since = time.perf_counter()
    if stop is not None:
        time.sleep(delay)
        os.kill(writer.pid or 0, stop)
    writer.join()
    return time.perf_counter() - since


def kill_writes(
    name: str, folder: Path, kills: int, stop: int = signal.SIGKILL, seed: int = 0
) -> Counter[str]:
    """Stop the overwriting of one file so many times, at moments from before to after it.

    Returns:
        How often the old and the new file was there, and how often something was left beside it.

    Raises:
        AssertionError: neither was whole, or the next run did not clean up.
    """
    kind, chance, found = KINDS[name], random.Random(seed), Counter[str]()
    path = folder / f"file{kind.suffix}"
    kind.write(path, kind.make(1))
    whole = min(run(kind, path, 1, None, 0) for _ in range(3))
    number = 1
    for kill in range(kills):
        old, number = number, number % 20 + 1
        run(kind, path, number, stop, 1.1 * whole * (kill + chance.random()) / kills)
        left = [other.name for other in folder.iterdir() if other != path]
        seen = kind.read(path)
        assert seen in (old, number), f"{name}: expected {old} or {number}, got {seen}"
        found["old" if seen == old else "new"] += 1
        found["left"] += bool(left)
        number = number % 20 + 1
        kind.write(path, kind.make(number))
        assert kind.read(path) == number
        assert list(folder.iterdir()) == [path], f"{name}: {left} was not cleaned up"
    return found


def report(kills: int) -> None:
    """All kinds, killed and interrupted, with the safetensors that is installed."""
    torch.set_num_threads(1)
    for stop in (signal.SIGKILL, signal.SIGINT):
        for name in KINDS:
            with tempfile.TemporaryDirectory() as folder:
                found = kill_writes(name, Path(folder), kills, stop)
            sys.stdout.write(
                f"safetensors {safetensors.__version__}, {stop.name}, {name}: {kills} times, old "
                f"{found['old']}, new {found['new']}, of these with leftovers {found['left']}; "
                "all whole, all cleaned up\n"
            )
            sys.stdout.flush()


def report_with(version: str, kills: int) -> None:
    """The same in a process with another safetensors."""
    wanted = "safetensors" if version == "newest" else f"safetensors=={version}"
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
        subprocess.run([*pip, wanted], check=True)
        root = str(Path(__file__).parents[1])
        paths = os.pathsep.join([folder, root, os.environ.get("PYTHONPATH", "")])
        subprocess.run(
            [sys.executable, __file__, "--kills", str(kills)],
            check=True,
            env={**os.environ, "PYTHONPATH": paths},
        )


def main() -> None:
    """Options -> a line for each kind."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20, help="of each kind (20)")
    parser.add_argument(
        "--safetensors", action="append", default=[], help="a version, or newest (the installed)"
    )
    options = parser.parse_args()
    for version in options.safetensors:
        report_with(version, options.kills)
    if not options.safetensors:
        report(options.kills)


if __name__ == "__main__":
    main()
