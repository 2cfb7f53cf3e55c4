"""Greengrass V2's documented HTTP API with published components in a deployment: no emulator has it."""

import json
import threading
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

_ARN = "arn:aws:greengrass:us-east-1:000000000000:components:model"
_RECIPE = {
    "RecipeFormatVersion": "2020-01-25",
    "Manifests": [{"Artifacts": [{"Uri": "s3://line-1/old//a.zip"}, {"URI": "s3://other/b.zip"}]}],
}


class _Greengrass(BaseHTTPRequestHandler):
    """ListComponents, ListComponentVersions, GetComponent, ListDeployments, GetDeployment; one result a page."""

    def do_GET(self) -> None:  # the base class's name
        """Answer by the path."""
        parts = urlsplit(self.path)
        path, query = unquote(parts.path), parts.query
        answer: dict[str, Any] = {}
        if path == "/greengrass/v2/components":
            more = "nextToken" not in query
            answer = {"components": [] if more else [{"arn": _ARN, "componentName": "model"}]}
            answer |= {"nextToken": "2"} if more else {}
        elif path.endswith("/versions"):
            versions = [(f"{_ARN}:versions:{one}", one) for one in ("1.0.0", "1.0.1")]
            answer = {
                "componentVersions": [
                    {"arn": arn, "componentName": "model", "componentVersion": one} for arn, one in versions
                ]
            }
        elif path.endswith(":versions:1.0.0"):
            recipe = b64encode(json.dumps(_RECIPE).encode()).decode()
            answer = {"recipeOutputFormat": "JSON", "recipe": recipe}
        elif "/components/" in path:
            answer = {"recipeOutputFormat": "JSON", "recipe": b64encode(b"{}").decode()}
        elif path == "/greengrass/v2/deployments":
            answer = {"deployments": [{"deploymentId": "d1", "deploymentName": "line", "targetArn": "t"}]}
        elif path.endswith("/deployments/d1"):
            answer = {"deploymentId": "d1", "components": {"model": {"componentVersion": "1.0.0"}}}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Say nothing."""


@contextmanager
def running_pinned_greengrass() -> Iterator[str]:
    """The endpoint of a server with one component in two versions, the first of them deployed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Greengrass)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
