"""Texts that nodes were sent, as the front end reads them."""

from typing import Any

TEXT_EVENT = 3
"""Of ComfyUI's messages in bytes, the one that is a text for a node."""


def list_texts(events: list[Any]) -> list[tuple[str, str]]:
    """Node and text, in their order."""
    texts = []
    for event, data in events:
        if event == TEXT_EVENT:
            length = int.from_bytes(data[:4], "big")
            texts.append((data[4 : 4 + length].decode(), data[4 + length :].decode()))
    return texts


def texts_on_nodes(events: list[Any]) -> dict[str, str]:
    """What stays on each node that has a text in the end."""
    return {node: text for node, text in dict(list_texts(events)).items() if text}
