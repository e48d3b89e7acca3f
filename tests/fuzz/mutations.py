"""Valid bytes, texts and JSON -> damaged ones."""

import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

Bytes = Callable[[random.Random, bytes], bytes]

MOST_APPENDED = 1_000_000
EDGES = (0, 1, 0x7F, 0x80, 0xFF)
WIDTHS = ("<H", ">H", "<I", ">I", "<Q", ">Q")


def _flip(rng: random.Random, data: bytes) -> bytes:
    """A few bits."""
    copy = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 64))):
        copy[rng.randrange(len(copy))] ^= 1 << rng.randrange(8)
    return bytes(copy)


def _truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def _splice(rng: random.Random, data: bytes) -> bytes:
    """A part of it at another place."""
    a, b, at = (rng.randrange(len(data)) for _ in range(3))
    return data[:at] + data[min(a, b) : max(a, b)] + data[at:]


def _cut(rng: random.Random, data: bytes) -> bytes:
    """Without a part in the middle."""
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice((1, 2, 7, 64, 1000)) :]


def _fill(rng: random.Random, data: bytes) -> bytes:
    """A part of noughts, ones or noise."""
    at, count = rng.randrange(len(data)), rng.choice((1, 4, 32, 512))
    noise = rng.choice((bytes(count), b"\xff" * count, rng.randbytes(count)))
    return data[:at] + noise + data[at + count :]


def _lie(rng: random.Random, data: bytes) -> bytes:
    """Another number where a length or a size may stand, mostly near the beginning."""
    form = rng.choice(WIDTHS)
    size = struct.calcsize(form)
    if len(data) < size:
        return data
    at = rng.randrange(min(len(data) - size + 1, rng.choice((16, 64, len(data)))))
    limit = 256**size - 1
    value = rng.choice(
        (0, 1, limit, limit // 2, limit // 2 + 1, rng.randint(0, limit), min(len(data), limit))
    )
    return data[:at] + struct.pack(form, value) + data[at + size :]


def _append(rng: random.Random, data: bytes) -> bytes:
    noise = rng.randbytes(rng.choice((1, 100, 5000)))
    return data + rng.choice((noise, data[:MOST_APPENDED]))


def _noise(rng: random.Random, data: bytes) -> bytes:
    return rng.randbytes(rng.choice((0, 1, 8, 100, 4000)))


DAMAGES: tuple[Bytes, ...] = (
    *(_flip, _flip, _truncate, _splice, _cut, _fill, _lie, _lie, _append),
    _noise,
)


def damage(rng: random.Random, data: bytes) -> bytes:
    """The bytes after one to three accidents."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        if data:
            data = rng.choice(DAMAGES)(rng, data)
    return data


def repack(rng: random.Random, data: bytes) -> bytes:
    """An archive of which one member is damaged, or stands in another's place."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return damage(rng, data)
    output = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(output, "w") as new:
        names = old.namelist()
        first, second = rng.choice(names), rng.choice(names)
        for name in names:
            content = old.read(second if name == first else name)
            is_damaged = name == first == second and content
            new.writestr(name, damage(rng, content) if is_damaged else content)
    return output.getvalue()


# JSON ---------------------------------------------------------------------------------------------

STRANGE: tuple[Callable[[], Any], ...] = (
    *(lambda v=v: v for v in (None, True, False, 0, 1, -1, 2, 1.5, -0.0, 1e300, 10**9, 10**30)),
    *(lambda v=v: v for v in (float("nan"), float("inf"), "", "x", "1", "nan", "\ud800", "a\nb")),
    *(list, dict, lambda: [0], lambda: [[]], lambda: [1] * 1000, lambda: {"x": 1}),
    lambda: nest(200),
    lambda: nest(20_000),
    lambda: "y" * 100_000,
)


def nest(depth: int) -> Any:
    """A list in a list in a list …"""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def alter(rng: random.Random, value: Any) -> Any:
    """Parsed JSON with one value exchanged, left out, doubled or added."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        copy = dict(value)
        if rng.random() < 0.1:
            del copy[key]
        elif rng.random() < 0.1:
            copy[rng.choice(("unknown", "", "\ud800", "é"))] = rng.choice(STRANGE)()
        else:
            copy[key] = alter(rng, value[key])
        return copy
    if isinstance(value, list) and value and rng.random() < 0.6:
        at = rng.randrange(len(value))
        middle = rng.choice(([], [alter(rng, value[at])], [value[at]] * 2))
        return [*value[:at], *middle, *value[at + 1 :]]
    if isinstance(value, int | float) and rng.random() < 0.3:
        return rng.choice((value + 1, -value, value * 1000, value / 2, str(value)))
    return rng.choice(STRANGE)()


def to_json(value: Any) -> str:
    """JSON, where it can be written at all."""
    try:
        return json.dumps(value)
    except RecursionError:
        return "[" * 20_000 + "]" * 20_000


# safetensors --------------------------------------------------------------------------------------


def header_and_body(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The parts of a `.safetensors`."""
    (size,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + size]), data[8 + size :]


def join(header: Any, body: bytes) -> bytes:
    """A `.safetensors` of its parts, however wrong they are."""
    text = (header if isinstance(header, str) else to_json(header)).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + body


def alter_metadata(rng: random.Random, data: bytes, key: str) -> bytes:
    """A `.safetensors` with something else in the JSON of an entry of its metadata."""
    header, body = header_and_body(data)
    texts = dict(header["__metadata__"])
    try:
        value = json.loads(texts[key])
    except (json.JSONDecodeError, RecursionError):  # it was altered before
        value = texts[key]
    new_value = alter(rng, value)
    texts[key] = new_value if isinstance(new_value, str) else to_json(new_value)
    return join(header | {"__metadata__": texts}, body)


def alter_header(rng: random.Random, data: bytes) -> bytes:
    """A `.safetensors` with a header that is JSON, but not that of its tensors."""
    header, body = header_and_body(data)
    return join(alter(rng, header), body)
