"""The pack's own routes on ComfyUI's server, for what the page shows before a graph runs.

Each is a POST of JSON. A picture is named as Load Image names it, never by a path; what the page
never asks gets a 4xx with a message for people. What an ordinary graph may lack, such as its
picture on another machine, is a `fault` instead: browsers call each 4xx an error on their console.
ComfyUI itself refuses other sites only where it is reached by a loopback name, so that is checked
here for every name.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web
from comfy.cli_args import args
from numpy.typing import NDArray
from server import PromptServer
from torch import Tensor

from ...actalker_core.errors import ACTalkerError, InputError, MediaError, quote
from ...actalker_core.media import load_image
from ...actalker_core.media.images import encode_image
from .files import picture_path

log = logging.getLogger(__name__)

PREFIX = "/actalker"
MAX_BODY_BYTES = 1 << 20
MAX_PICTURE_PIXELS = 1 << 26
"""67 million: more than most cameras take; read it needs 0.8 GB."""
FACTS_HEADER = "X-ACTalker-Facts"
"""Of an answer with a picture: what else is to be known, as JSON."""
THREADS = 2

pool = ThreadPoolExecutor(THREADS, "actalker-routes")


@dataclass(frozen=True)
class Picture:
    """An answer that is an image.

    Attributes:
        pixels: (h, w, 3) in 0…255, sent as JPEG.
        facts: what goes with it, small; JSON in the header `FACTS_HEADER`.
    """

    pixels: NDArray[Any]
    facts: Mapping[str, Any] = field(default_factory=dict)


Values = Mapping[str, Any]
Work = Callable[[Values], Picture | Values]
"""From what was asked to the answer, in a thread: a picture, or a mapping that is sent as JSON."""


def add_route(name: str, work: Work) -> None:
    """Answer POST /actalker/<name>; must be called before ComfyUI's server starts.

    Args:
        work: its `MediaError` is answered with 200 and {"fault": message}, any other
            `ACTalkerError` with 400 and {"error": message}.
    """
    server = getattr(PromptServer, "instance", None)
    if server is None:  # nodes are only listed, by a tool
        return

    async def answer(request: web.Request) -> web.Response:
        return await _answer(request, work)

    server.routes.post(f"{PREFIX}/{name}")(answer)


async def _answer(request: web.Request, work: Work) -> web.Response:
    if is_foreign(request.headers, request.host):
        return _refuse(403, "Only ComfyUI's own page may ask.")
    if request.content_type != "application/json":
        return _refuse(415, "Expected JSON (Content-Type: application/json).")
    body = await _read_body(request)
    if body is None:
        return _refuse(413, f"Expected at most {MAX_BODY_BYTES:,} bytes. Send less.")
    try:
        values = _parse(body)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, lambda: _respond(work, values))
    except MediaError as error:
        return web.json_response({"fault": str(error)})
    except ACTalkerError as error:
        return _refuse(400, str(error))
    except Exception:
        log.exception("%s failed.", request.path)
        return _refuse(500, "This failed; ComfyUI's log says where. Please report it.")


def is_foreign(headers: Mapping[str, str], host: str) -> bool:
    """Whether another site's page asks, unless ComfyUI was started to let it.

    Args:
        headers: of the request. host: by which name the server was reached.
    """
    origin, partner = headers.get("Origin"), args.enable_cors_header
    if partner and partner in ("*", origin):
        return False
    if headers.get("Sec-Fetch-Site") == "cross-site":
        return True
    if origin is None:
        return False
    try:
        page, server = urlsplit(origin.lower()), urlsplit(f"//{host.lower()}")
        ports = {page.port, server.port} - {None}  # which browsers and proxies leave out
    except ValueError:
        return True
    return not page.hostname or page.hostname != server.hostname or len(ports) > 1


async def _read_body(request: web.Request) -> bytes | None:
    """None where it is too long; no more than that is read."""
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


def _parse(body: bytes) -> Values:
    """A JSON object.

    Raises:
        InputError: it is none.
    """
    try:
        values = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise InputError("Expected a JSON object with finite numbers. Send another.")
    return values


def _refuse_constant(name: str) -> None:
    """NaN and infinities, which Python reads and JSON has not."""
    raise ValueError(name)


def _respond(work: Work, values: Values) -> web.Response:
    result = work(values)
    if not isinstance(result, Picture):
        return web.json_response(dict(result))
    return web.Response(
        body=encode_image(result.pixels, ".jpg"),
        content_type="image/jpeg",
        headers={FACTS_HEADER: json.dumps(dict(result.facts)), "Cache-Control": "no-store"},
    )


def _refuse(status: int, message: str) -> web.Response:
    return web.json_response({"error": message}, status=status)


def get_text(values: Values, name: str, default: str = "") -> str:
    """A text of a request.

    Raises:
        InputError: it is something else.
    """
    value = values.get(name, default)
    if not isinstance(value, str):
        raise InputError(f"{name}: expected a text, got {quote(value)}. Send one.")
    return value


def load_picture(name: object) -> Tensor:
    """A picture of the input folder, (3, h, w) in 0…1; see `files.picture_path`.

    Raises:
        MediaError: no such file, no picture, or one of too many pixels. InputError: no name.
    """
    path = picture_path(name)
    try:
        return load_image(path, MAX_PICTURE_PIXELS)
    except MediaError:  # it names the path, which the page need not know
        raise MediaError(
            f"Picture: expected one (PNG, JPEG, WebP …) of at most {MAX_PICTURE_PIXELS / 1e6:.0f} "
            f"million pixels, got {quote(name)}, which cannot be read so. Save it anew, smaller."
        ) from None
