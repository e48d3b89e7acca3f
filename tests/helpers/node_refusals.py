"""What nodes refuse, and the words that they do it with."""

from typing import Any

import pytest

from helpers.host import Comfy

NONSENSE = "nonsense"
FULL = "whole picture"


def read_refusal(comfy: Comfy, node: str, **inputs: Any) -> str:
    """What the node says; only errors that the pack or ComfyUI raises on purpose are allowed."""
    kinds = (comfy.core("errors").ACTalkerError, FileNotFoundError)
    with pytest.raises(kinds) as error:
        comfy.call(node, **inputs)
    message = str(error.value)
    assert len(message) > 25
    assert message[0] != "("
    return message
