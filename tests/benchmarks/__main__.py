"""Runs one benchmark: `python tests/benchmarks layer`."""

import argparse
import importlib
import sys
from pathlib import Path

import torch

FOLDER = Path(__file__).parent


def main() -> None:
    """Options -> what a benchmark prints; those that write a table take the page as well."""
    names = sorted(path.stem.removeprefix("bench_") for path in FOLDER.glob("bench_*.py"))
    parser = argparse.ArgumentParser(prog="python tests/benchmarks", description=__doc__)
    parser.add_argument("name", choices=names)
    parser.add_argument("page", type=Path, nargs="?", help="that a table is written into")
    options = parser.parse_args()
    sys.path[:0] = [str(FOLDER.parent), str(FOLDER.parents[1])]
    bench = importlib.import_module(f"benchmarks.bench_{options.name}")
    arguments = () if options.page is None else (options.page,)
    with torch.inference_mode():
        bench.main(*arguments)


if __name__ == "__main__":
    main()
