"""The network of lips: its file, what is refused, and what it costs."""

from pathlib import Path

import numpy as np
from helpers.refusals import refusal
from safetensors.numpy import load_file, save_file

from actalker_core.control.motion.lips.features import FEATURES, PIECE_ROWS
from actalker_core.control.motion.lips.network import (
    FORMAT,
    MAX_BYTES,
    OUTPUTS,
    WEIGHTS,
    load_built_in,
    load_network,
)
from actalker_core.errors import CheckpointError

TEXTS = {
    "format": FORMAT,
    "dilations": ",".join(str(c.dilation) for c in load_built_in().convolutions),
}


def test_the_file_is_small_and_in_the_package() -> None:
    assert WEIGHTS.stat().st_size <= MAX_BYTES == 2_000_000


def test_pieces_follow_each_other() -> None:
    features = np.random.default_rng(0).normal(size=(3, PIECE_ROWS, FEATURES)).astype(np.float32)
    stream, late_stream = load_built_in().start(), load_built_in().start()
    outputs = [stream.step(piece) for piece in features]
    assert outputs[0].shape == (PIECE_ROWS, OUTPUTS)
    np.testing.assert_array_equal(outputs[0], late_stream.step(features[0]))
    assert (outputs[1] != late_stream.step(features[2])).any()


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    tensors, data = load_file(WEIGHTS), WEIGHTS.read_bytes()
    path = tmp_path / "lips.safetensors"
    assert refusal(load_network, path, CheckpointError)
    for damage in (b"", data[: len(data) // 2], b"\0" * 100, data + b"\0" * MAX_BYTES):
        path.write_bytes(damage)
        refusal(load_network, path, CheckpointError)
    wrong_tensors = [
        {name: values for name, values in tensors.items() if name != "head.bias"},
        tensors | {"head.weight": tensors["head.weight"].T.copy()},
        tensors | {"1.weight": tensors["1.weight"][:, :-1].copy()},
        tensors | {"0.bias": np.full_like(tensors["0.bias"], np.nan)},
        tensors | {"2.weight": tensors["2.weight"][0].copy()},
    ]
    for wrong in wrong_tensors:
        save_file(wrong, path, TEXTS)
        refusal(load_network, path, CheckpointError)
    for texts in ({}, TEXTS | {"format": "another"}, TEXTS | {"dilations": "1,x"}):
        save_file(tensors, path, texts)
        refusal(load_network, path, CheckpointError)
    for dilations in ("", "1", TEXTS["dilations"].replace("1", "0"), TEXTS["dilations"] + ",1"):
        save_file(tensors, path, TEXTS | {"dilations": dilations})
        refusal(load_network, path, CheckpointError)
    save_file(tensors, path, TEXTS)
    assert len(load_network(path).convolutions) == len(load_built_in().convolutions)
