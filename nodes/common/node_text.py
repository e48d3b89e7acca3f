"""Text that a node shows on itself."""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar, cast

from comfy_api.latest import io, ui
from server import PromptServer

log = logging.getLogger(__name__)
pack_log = logging.getLogger(__name__.removesuffix(".nodes.common.node_text"))
"""What the pack logs, of nodes and core, passes here."""

kept_warnings: ContextVar[dict[str, None] | None] = ContextVar("kept_warnings", default=None)
"""Of the node that runs; threads that the core starts for it have them too."""

Execute = TypeVar("Execute", bound=Callable[..., io.NodeOutput])

LINE_BREAK = "  \n"
"""Nodes 2.0 reads the text as Markdown, where an end of line alone is a space."""


def show(node: type[io.ComfyNode], text: str) -> ui.PreviewText:
    """Show a text on a node that is running, for whoever queued it.

    The front end draws a ui text on two of its own nodes only, so the text is sent to the node; it
    is the node's ui output too, by which the pack's script in the browser shows it again when a
    result comes from the cache.

    Args:
        node: that runs; its schema asks for `io.Hidden.unique_id`.
    """
    return ui.PreviewText(send_text(node, text))


def send_text(node: type[io.ComfyNode], text: str) -> str:
    """Show a text on a node while it runs, for whoever queued it; empty takes it away.

    Returns:
        the text as it was sent, with breaks that Markdown keeps.
    """
    number = getattr(node.hidden, "unique_id", None)
    server = getattr(PromptServer, "instance", None)
    watcher = getattr(server, "client_id", None)  # without one, ComfyUI would tell everybody
    text = LINE_BREAK.join(text.splitlines())
    if server is not None and number is not None and watcher is not None:
        server.send_progress_text(text, number, sid=watcher)
    return text


def warn(node: type[io.ComfyNode], warnings: Sequence[str]) -> ui.PreviewText | None:
    """Log warnings and show them on a node that is running; without any, nothing."""
    for warning in warnings:
        log.warning("%s: %s", node.define_schema().display_name, warning)
    return show(node, "\n".join(warnings)) if warnings else None


def log_warnings(warnings: Sequence[str]) -> None:
    """Warn within `show_warnings`."""
    for warning in warnings:
        log.warning(warning)


def show_warnings(execute: Execute) -> Execute:
    """Make a node show on itself what the pack warns of while it runs; the log has it too.

    Its schema asks for `io.Hidden.unique_id`. A text of its own has them already, by
    `list_warnings`; other ui output of its own is a mapping.
    """

    @wraps(execute)
    def execute_and_show(node: type[io.ComfyNode], *args: Any, **inputs: Any) -> io.NodeOutput:
        with _keep_warnings() as warnings:
            output = execute(node, *args, **inputs)
        if warnings and not isinstance(output.ui, ui.PreviewText):
            text = show(node, "\n".join(warnings))
            output.ui = output.ui | text.as_dict() if output.ui else text
        return output

    return cast(Execute, execute_and_show)


def list_warnings() -> list[str]:
    """What the pack has warned of since the node began that runs within `show_warnings`."""
    return list(kept_warnings.get() or ())


@contextmanager
def _keep_warnings() -> Iterator[dict[str, None]]:
    """The warnings of this block and its threads, each once and in their order, until it ends."""
    warnings: dict[str, None] = {}
    token = kept_warnings.set(warnings)

    class Keeper(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if kept_warnings.get() is warnings:
                warnings[record.getMessage()] = None

    keeper = Keeper(logging.WARNING)
    pack_log.addHandler(keeper)
    try:
        yield warnings
    finally:
        pack_log.removeHandler(keeper)
        kept_warnings.reset(token)
