"""Damaged files and texts until something breaks: `python tests/fuzz SEED --cases N --kind K`."""

import argparse
import sys
from pathlib import Path

sys.path[:0] = map(str, Path(__file__).parents[1:3])
from fuzz import runner  # noqa: E402  (the folder above is known only now)


def main() -> int:
    """Print what was tried and how it ended; 1 if anything is at fault."""
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description=__doc__)
    add = parser.add_argument
    add("seed", type=int, nargs="?", default=0, help="another one tries others (0)")
    add("--cases", type=int, default=1000, help="of each kind (1000)")
    add("--kind", choices=runner.KINDS, action="append", help="only this one; may be repeated")
    add("--seconds", type=float, help="for each kind at most (as long as it takes)")
    add("--case", type=int, help="only this one, in this process, with its traceback")
    options = parser.parse_args()
    kinds = tuple(options.kind or runner.KINDS)
    if options.case is not None:
        sys.stdout.write(f"{runner.try_case(kinds[0], options.seed, options.case)}\n")
        return 0
    report = runner.run(
        kinds, options.seed, options.cases, options.seconds, lambda row: print_line(row)
    )
    for row in report.rows():
        print_line(row)
    return bool(report.faults)


def print_line(row: str) -> None:
    """At once, as a run may take long."""
    sys.stdout.write(f"{row}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
