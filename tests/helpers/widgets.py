"""Inputs of nodes by name, as /object_info tells them, on every version of ComfyUI."""

from collections.abc import Iterator
from typing import Any

KINDS = ("required", "optional")
DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
"""Of newer versions: each choice has inputs of its own, which are named after it: format.codec."""

Inputs = dict[str, Any]


def list_inputs(inputs: Inputs, values: Inputs, prefix: str = "") -> Iterator[tuple[str, str, Any]]:
    """Kind, name and description of each input, those of the given choices among them.

    Args:
        inputs: of a node's info. given: values by name; the first choice where there is none.
    """
    for kind in KINDS:
        for key, description in inputs.get(kind, {}).items():
            name = prefix + key
            yield kind, name, description
            if description[0] == DYNAMIC_COMBO:
                options = description[1]["options"]
                choice = values.get(name, options[0]["key"])
                within = [option["inputs"] for option in options if option["key"] == choice]
                for more in within:
                    yield from list_inputs(more, values, f"{name}.")


def fill_widgets(inputs: Inputs, values: Inputs) -> Inputs:
    """The given values, and for other widgets those of a new node."""
    widgets = dict(values)
    for _, name, (io_type, *more) in list_inputs(inputs, values):
        options = more[0] if more else {}
        choices = io_type if isinstance(io_type, list) else options.get("options")
        if name in widgets:
            continue
        if "default" in options:
            widgets[name] = options["default"]
        elif choices:
            widgets[name] = choices[0]["key"] if io_type == DYNAMIC_COMBO else choices[0]
    return widgets
