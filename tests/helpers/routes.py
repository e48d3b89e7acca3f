"""The routes of the pack on a server of their own."""

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from helpers.host import Comfy

JSON = {"Content-Type": "application/json"}


@dataclass
class Answer:
    status: int
    body: bytes
    headers: Any

    @property
    def error(self) -> str:
        """Why it was refused."""
        return str(json.loads(self.body)["error"])

    @property
    def fault(self) -> str:
        """What a person has to change; no refusal, which browsers call an error of the page."""
        assert self.status == 200, self.body
        return str(json.loads(self.body)["fault"])


class Client:
    """The routes on a server of their own, without what ComfyUI itself checks before them."""

    def __init__(self, comfy: Comfy) -> None:
        self.loop = comfy.loop
        app = web.Application()
        app.add_routes(comfy.server.routes)
        self.client = TestClient(TestServer(app), loop=self.loop)
        self.loop.run_until_complete(self.client.start_server())

    def close(self) -> None:
        self.loop.run_until_complete(self.client.close())

    def post(self, name: str, body: Any, headers: dict[str, str] = JSON) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()

        async def ask() -> Answer:
            path = f"/actalker/{name}"
            async with self.client.post(path, data=content, headers=headers) as answer:
                return Answer(answer.status, await answer.read(), answer.headers)

        return self.loop.run_until_complete(ask())
