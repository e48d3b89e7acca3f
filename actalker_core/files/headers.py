"""What a `.safetensors` says of itself: read within bounds, believed only after a check."""

import json
import math
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ..errors import InputError, quote

MAX_HEADER_BYTES = 2**24
"""Forty times that of a released checkpoint; a longer one takes seconds to parse."""


@contextmanager
def open_tensors(path: Path) -> Iterator[Any]:
    """A `.safetensors` whose tensors are read one by one on the CPU.

    Raises:
        OSError: no regular file, or one that cannot be opened.
        SafetensorError: truncated, damaged, of another kind, or with too long a header.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError("not a regular file")  # opening a pipe would wait for somebody to write
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > MAX_HEADER_BYTES:
        raise SafetensorError(
            f"its header claims {length:,} bytes, at most {MAX_HEADER_BYTES:,} are read"
        )
    with safe_open(path, framework="pt", device="cpu") as file:
        yield file


def parse_json(text: str) -> Any:
    """JSON in which every name stands once and every number is finite.

    Raises:
        InputError: it is anything else, or nested too deep.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=_refuse_repeats,
            parse_constant=_parse_finite,
            parse_float=_parse_finite,
        )
    except RecursionError as error:
        raise InputError("the JSON is nested too deep") from error
    except ValueError as error:
        raise InputError(f"no valid JSON: {error}") from error


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a name stands twice")
    return values


def _parse_finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{quote(text)} is no finite number")
    return value
