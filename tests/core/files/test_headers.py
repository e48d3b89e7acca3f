"""Headers of .safetensors that lie, and JSON that nobody would write."""

import json
import os
import struct
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from actalker_core.errors import InputError, quote
from actalker_core.files.archive import read_format
from actalker_core.files.headers import MAX_HEADER_BYTES, parse_json

QUICK_SECONDS = 5


def write(path: Path, header: bytes, length: int | None = None, content: bytes = b"") -> Path:
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header)
    with path.open("ab") as file:
        file.write(content)
    return path


def metadata(**texts: object) -> bytes:
    return json.dumps({"__metadata__": texts}).encode()


GOOD = metadata(format="actalker-signals")
LONG = metadata(format="actalker-signals", more="x" * MAX_HEADER_BYTES)
LIES: dict[str, tuple[bytes, int | None]] = {
    "longer than the file": (GOOD, 10**6),
    "longest": (GOOD, 2**64 - 1),
    "shorter": (GOOD, 10),
    "none": (b"", None),
    "too long to be read": (LONG, None),
    "no UTF-8": (b'{"\xff\xfe":1}', None),
    "lone surrogate": (rb'{"__metadata__":{"format":"\ud800"}}', None),
    "numbers as texts": (metadata(format=3), None),
    "nested": (b'{"__metadata__":' + b"[" * 100_000, None),
    "a list": (b"[]", None),
    "tensor beyond the file": (b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,36]}}', None),
    "tensor of another size": (b'{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,0]}}', None),
    "huge shape": (
        b'{"a":{"dtype":"F32","shape":[9223372036854775807,9],"data_offsets":[0,0]}}',
        None,
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_says_nothing_quickly(tmp_path: Path, lie: str) -> None:
    path = write(tmp_path / "x.safetensors", *LIES[lie])
    start = time.process_time()
    assert read_format(path) == ""
    assert time.process_time() - start < QUICK_SECONDS


def test_a_header_that_is_true_is_believed(tmp_path: Path) -> None:
    save_file({"a": torch.ones(1)}, tmp_path / "x.safetensors", {"format": "actalker-bank"})
    assert read_format(tmp_path / "x.safetensors") == "actalker-bank"
    assert read_format(write(tmp_path / "y.safetensors", GOOD)) == "actalker-signals"


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe", "broken link", "loop of links"])
def test_what_is_no_file_is_not_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.safetensors"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        if not hasattr(os, "mkfifo"):
            pytest.skip("needs pipes with names")
        os.mkfifo(path)
    elif kind != "missing":
        path.symlink_to(tmp_path / "nowhere" if kind == "broken link" else path)
    assert read_format(path) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"a": 1, "a": 2}',
        "[NaN]",
        "-Infinity",
        "[1e999]",
        "9" * 5000,
        "tiny",
        '"\x00"',
    ],
    ids=quote,
)
def test_strange_json_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_json(text)


@pytest.mark.parametrize("value", [None, 3, 2.5, True, "ü", [], {"a": [1, {"b": "c"}]}])
def test_json_comes_back(value: object) -> None:
    assert parse_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    "value", ["x" * 10**6, "\x1b[31m\n" * 100, "\ud800", [[[[[[[[]]]]]]]] * 10**5, "é" * 81, "ok"]
)
def test_a_quote_is_short_and_can_be_printed(value: object) -> None:
    quotation = quote(value)
    assert 0 < len(quotation) <= 82, "with its quotation marks"
    assert quotation.isprintable()
    assert quotation.encode()
