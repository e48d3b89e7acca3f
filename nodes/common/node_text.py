"""Text that a node shows on itself."""

import logging
from collections.abc import Sequence

from comfy_api.latest import io, ui
from server import PromptServer

log = logging.getLogger(__name__)

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
    number = getattr(node.hidden, "unique_id", None)
    server = getattr(PromptServer, "instance", None)
    watcher = getattr(server, "client_id", None)  # without one, ComfyUI would tell everybody
    text = LINE_BREAK.join(text.splitlines())
    if server is not None and number is not None and watcher is not None:
        server.send_progress_text(text, number, sid=watcher)
    return ui.PreviewText(text)


def warn(node: type[io.ComfyNode], warnings: Sequence[str]) -> ui.PreviewText | None:
    """Log warnings and show them on a node that is running; without any, nothing."""
    for warning in warnings:
        log.warning("%s: %s", node.define_schema().display_name, warning)
    return show(node, "\n".join(warnings)) if warnings else None
