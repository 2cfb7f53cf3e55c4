"""Greengrass V2's documented HTTP API, as far as components are published and read: no emulator has it.

Shapes and paths are those of botocore's service model; the client that talks to it is the real one.
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.fakes.portal import InMemoryComponentService

STANDIN_ACCOUNT = "000000000000"
"""What the stand-in's GetCallerIdentity says: component ARNs are made of it."""


@contextmanager
def running_greengrass() -> Iterator[tuple[str, InMemoryComponentService]]:
    """The endpoint and what it holds."""
    components = InMemoryComponentService(STANDIN_ACCOUNT)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_arguments: Any) -> None:
            """Quiet."""

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            recipe = json.loads(base64.b64decode(asked["inlineRecipe"]))
            arn = components.create_component_version(recipe, tags=asked["tags"], client_token=asked["clientToken"])
            if arn is None:
                self._answer(409, {"message": "the version exists"}, "ConflictException")
                return
            body = {"arn": arn, "componentName": recipe["ComponentName"], "creationTimestamp": 1}
            body |= {"componentVersion": recipe["ComponentVersion"], "status": {"componentState": "REQUESTED"}}
            self._answer(201, body)

        def do_GET(self) -> None:
            path = urlsplit(self.path).path.removeprefix("/greengrass/v2/components/")
            arn, _, what = unquote(path).partition("/")
            if what == "versions":
                versions = [
                    {"componentVersion": one, "arn": f"{arn}:versions:{one}"} for one in components.list_versions(arn)
                ]
                self._answer(200, {"componentVersions": versions})
                return
            recipe = components.read_recipe(arn)
            if recipe is None:
                self._answer(404, {"message": "no such component"}, "ResourceNotFoundException")
            elif what == "metadata":
                self._answer(200, {"arn": arn, "status": {"componentState": components.read_state(arn)}})
            else:
                text = base64.b64encode(json.dumps(recipe).encode()).decode()
                self._answer(200, {"recipeOutputFormat": "JSON", "recipe": text})

        def _answer(self, status: int, body: Any, error: str = "") -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if error:
                self.send_header("x-amzn-ErrorType", error)
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", components
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
