"""The constants of a TFLite file, read without TensorFlow.

The file is a FlatBuffer: Model{2: subgraphs, 4: buffers}, SubGraph{0: tensors},
Tensor{0: shape, 1: type, 2: buffer, 3: name}, Buffer{0: data}.
Source: tensorflow/lite/schema/schema.fbs.
"""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

FLOAT16 = 1
"""The code of this type."""


def read_float16_tensors(tflite: bytes) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Name and values of all float16 constants, as float32: kernels (d, 1, 1, c), biases (d,)."""
    model = _Table(tflite, _u32(tflite, 0))
    buffers = list(model.tables(4))
    for tensor in next(iter(model.tables(2))).tables(0):
        content, shape = buffers[tensor.number(2)].content(0), tensor.integers(0)
        if tensor.byte(1) == FLOAT16 and content and shape.size:
            values = np.frombuffer(content, "<f2").astype(np.float32)
            yield tensor.content(3).decode(), values.reshape(shape)


class _Table:
    """One table of a FlatBuffer: its fields are found through a list of offsets."""

    def __init__(self, data: bytes, start: int) -> None:
        self._data, self._start = data, start
        self._fields = start - struct.unpack_from("<i", data, start)[0]

    def _field_start(self, field: int) -> int | None:
        entry = 4 + 2 * field
        if entry >= struct.unpack_from("<H", self._data, self._fields)[0]:
            return None
        offset = int(struct.unpack_from("<H", self._data, self._fields + entry)[0])
        return self._start + offset if offset else None

    def byte(self, field: int) -> int:
        start = self._field_start(field)
        return 0 if start is None else self._data[start]

    def number(self, field: int) -> int:
        start = self._field_start(field)
        return 0 if start is None else _u32(self._data, start)

    def content(self, field: int) -> bytes:
        start, count = self._vector(field)
        return self._data[start : start + count]

    def integers(self, field: int) -> NDArray[np.int32]:
        start, count = self._vector(field)
        return np.frombuffer(self._data, "<i4", count, start)

    def tables(self, field: int) -> Iterator["_Table"]:
        start, count = self._vector(field)
        for entry in range(start, start + 4 * count, 4):
            yield _Table(self._data, entry + _u32(self._data, entry))

    def _vector(self, field: int) -> tuple[int, int]:
        """Where a list starts and how many entries it has."""
        start = self._field_start(field)
        if start is None:
            return 0, 0
        start += _u32(self._data, start)
        return start + 4, _u32(self._data, start)


def _u32(data: bytes, start: int) -> int:
    return int(struct.unpack_from("<I", data, start)[0])
