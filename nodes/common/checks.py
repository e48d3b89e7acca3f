"""Checks of what a node is given when its graph is queued: before any node runs or model loads.

A node of the pack derives from `Node`, and ComfyUI asks it when the graph is queued. Numbers are
then held against the limits of their widgets and choices against what there is to choose. What a
widget needs besides is said where it is made:

    with_check(io.String.Input("curve_text", ...), check_curve)
    with_check(io.String.Input("text", ...), check_all=check_words)

A check raises an error of the core, and what it returns is not looked at: a parser is a check. The
first kind is called with the value of the widget. The second kind is called with the values of all
inputs, also where nothing is connected to its own (of a socket: what has to be connected besides).
In `Values` an input that is linked is None, as its value is not known yet, and one that is left
open is missing. Every text has a check: a test holds it.
"""

import sys
from collections.abc import Callable, Collection, Mapping
from types import FrameType
from typing import Any, TypeVar

from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ...actalker_core.errors import ACTalkerError, InputError, check_choice, quote

Values = Mapping[str, Any]
"""Id of an input -> its value; None where it is linked."""

Socket = TypeVar("Socket")


def with_check(
    socket: Socket,
    check: Callable[[Any], object] | None = None,
    *,
    check_all: Callable[[Values], object] | None = None,
) -> Socket:
    """An input with more checks of its own; those of its limits or its choices stay.

    Args:
        check: of its value, where it is known.
        check_all: of it and other inputs, whether or not anything is connected to it.
    """
    if check is not None:
        socket.check = check  # type: ignore[attr-defined]
    if check_all is not None:
        socket.check_all = check_all  # type: ignore[attr-defined]
    return socket


def or_blank(check: Callable[[str], object]) -> Callable[[str], object]:
    """The check of a text that may be left blank."""
    return lambda text: check(text) if text.strip() else None


def unless_connected(name: str, check: Callable[[Values], None]) -> Callable[[Values], None]:
    """A check that is left out where another input, which makes up for these, is connected."""

    def check_without(values: Values) -> None:
        if name not in values:
            check(values)

    return check_without


def require_one(node: str, ids: Collection[str], advice: str) -> Callable[[Values], None]:
    """The check that one at least of several inputs is connected.

    Args:
        advice: what to do, as a sentence.
    """

    def check(values: Values) -> None:
        if not values.keys() & set(ids):
            raise InputError(f"{node}: expected {' or '.join(ids)}, got none of them. {advice}")

    return check


class Node(io.ComfyNode):
    """A node whose inputs are checked when its graph is queued."""

    @classmethod
    def validate_inputs(cls, **values: Any) -> Any:
        """ComfyUI's question whether a graph may run."""
        faults = find_faults(cls.define_schema().inputs, values)
        return Refusal(values, faults) if faults else True


def find_faults(inputs: list[Any], values: Values) -> dict[str, str]:
    """What cannot be used: id of an input -> why."""
    faults = {}
    for socket in inputs:
        try:
            _check(socket, values)
        except ACTalkerError as error:
            faults[socket.id] = str(error)
    return faults


def _check(socket: Any, values: Values) -> None:
    """Hold a widget against its limits or choices, and against its own checks.

    Raises:
        ACTalkerError: says what is wrong.
    """
    value = values.get(socket.id)
    check = getattr(socket, "check", None)
    check_all = getattr(socket, "check_all", None)
    if value is not None:
        if check is not None:
            check(value)
        elif isinstance(socket, io.Combo.Input):
            check_choice(socket.id, value, socket.options)
        if isinstance(socket, io.Int.Input | io.Float.Input):
            _check_range(socket, value)
    if check_all is not None:
        check_all(values)


def _check_range(socket: Any, value: float) -> None:
    """What ComfyUI does by itself where a node asks for no checks."""
    lowest = -float("inf") if socket.min is None else socket.min
    highest = float("inf") if socket.max is None else socket.max
    if not lowest <= value <= highest:  # NaN is in no range
        raise InputError(
            f"{socket.id}: expected a number from {lowest:,g} to {highest:,g}, got {quote(value)}. "
            "Choose a value in this range."
        )


class Refusal:
    """The answer to ComfyUI that a graph may not run.

    ComfyUI takes one answer for all inputs of a node, and lists it under each of them that was
    passed, unless it is an `ExecutionBlocker`. A fault is to be shown where it is and nowhere else:
    this answer reads which input ComfyUI is at from the loop that asks, and counts as one where the
    input is in order. Where the loop does not tell, all faults are listed at every input.
    """

    def __init__(self, names: Collection[str], faults: Mapping[str, str]) -> None:
        """Refuse faults (id of an input -> why) of a node that was passed inputs of these names."""
        self._texts = dict.fromkeys(names, "")
        for name, text in faults.items():
            if name in names:
                self._texts[name] = f"{self._texts[name]} {text}".strip()
            else:  # nothing is listed under it, so another has to bear it
                place = next(iter(names))
                self._texts[place] = f"{self._texts[place]} {name}: {text}".strip()
        self._all_texts = " ".join(filter(None, self._texts.values()))

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """What `isinstance` sees."""
        return Refusal if self._find_text(sys._getframe(1)) else ExecutionBlocker

    def __str__(self) -> str:
        """Why the input is refused that ComfyUI is at."""
        return self._find_text(sys._getframe(1))

    def _find_text(self, loop: FrameType) -> str:
        name = loop.f_locals.get("x")
        # Not isinstance: what ComfyUI has there may be this answer itself.
        return self._texts.get(name, self._all_texts) if type(name) is str else self._all_texts
