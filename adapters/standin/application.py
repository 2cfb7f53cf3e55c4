"""The ASGI application: the admin path, the faults, and the emulator behind them."""

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from adapters.standin.faults import Fault, FaultKind, FaultMoment, FaultPlan
from adapters.standin.limits import Limits
from adapters.standin.wire import operation_of, s3_error

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

ADMIN_PREFIX = "/_standin/"


class Application:
    """Answers the admin path itself, spoils what the plan says, and leaves the rest to ``emulator``."""

    def __init__(self, emulator: Any, limits: Limits, plan: FaultPlan, connections: MutableMapping[Any, Any]) -> None:
        self._emulator = emulator
        self._limits = limits
        self._connections = connections
        self._plan = plan
        self.on_ready: Callable[[], None] = lambda: None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if scope["type"] == "lifespan":
            await self._emulator(scope, receive, self._announcing(send))
        elif scope["type"] == "http" and scope["path"].startswith(ADMIN_PREFIX):
            await self._administer(scope, receive, send)
        elif self._plan and scope["type"] == "http" and (fault := self._fault(scope)):
            await self._spoil(fault, scope, receive, send)
        else:
            await self._emulator(scope, receive, send)

    def _announcing(self, send: Send) -> Send:
        async def announce(message: Any) -> None:
            if message["type"] == "lifespan.startup.complete":
                self.on_ready()
            await send(message)

        return announce

    def _fault(self, scope: Scope) -> Fault | None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        target = headers.get("x-amz-target")
        if target:
            return self._plan.take(target.rpartition(".")[2], "", "")
        bucket, _, key = scope["path"].lstrip("/").partition("/")
        query = parse_qs(scope["query_string"].decode(), keep_blank_values=True)
        return self._plan.take(operation_of(scope["method"], key, query, headers), bucket, key)

    async def _spoil(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        if fault.kind is FaultKind.DELAY:
            if fault.moment is FaultMoment.BEFORE:
                await asyncio.sleep(fault.seconds)
            await self._emulator(scope, receive, self._late(fault, send))
            return
        if fault.moment is FaultMoment.AFTER:
            await self._emulator(scope, receive, _swallow)
        else:
            await _read_body(receive)
        if fault.kind is FaultKind.RESET:
            self._reset(scope)
        else:
            await _answer(fault, scope, send)

    @staticmethod
    def _late(fault: Fault, send: Send) -> Send:
        async def hold(message: Any) -> None:
            if fault.moment is FaultMoment.AFTER and message["type"] == "http.response.start":
                await asyncio.sleep(fault.seconds)
            await send(message)

        return hold

    def _reset(self, scope: Scope) -> None:
        writer = self._connections[tuple(scope["client"])]
        # Linger 0 makes the close a reset, so that the client cannot take it for an orderly end.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def _administer(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read_body(receive)
        method, name = scope["method"], scope["path"].removeprefix(ADMIN_PREFIX)
        try:
            if (method, name) == ("POST", "objects"):
                found: dict[str, int] | None = {"put": await self._put_objects(scope, **json.loads(body))}
            else:
                found = self._command(method, name, body)
        except (TypeError, ValueError) as error:
            await _send(send, 400, "application/json", json.dumps({"error": str(error)}).encode())
            return
        status = 404 if found is None else 200
        await _send(send, status, "application/json", json.dumps(found or {}).encode())

    async def _put_objects(self, scope: Scope, *, bucket: str, keys: list[str], body: str) -> int:
        """Put one body at each key, as so many PutObject requests do; raises ValueError for one that is refused."""
        content = body.encode()
        refused: list[str] = []
        headers = [(b"host", b"localhost"), (b"content-length", str(len(content)).encode())]

        async def receive() -> Any:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            if message.get("status", 200) != 200:
                refused.append(f"{key}: {message['status']}")

        for key in keys:
            path = f"/{bucket}/{quote(key)}"
            put = {"method": "PUT", "path": unquote(path), "raw_path": path.encode(), "query_string": b""}
            await self._emulator({**scope, **put, "headers": headers}, receive, send)
        if refused:
            raise ValueError(f"not put: {', '.join(refused[:3])}")
        return len(keys)

    def _command(self, method: str, name: str, body: bytes) -> dict[str, int] | None:
        match method, name:
            case "POST", "faults":
                self._plan.add(Fault.parse(json.loads(body)))
            case "DELETE", "faults":
                self._plan.clear()
            case "GET", "faults":
                pass
            case "PUT", "limits":
                wanted = Limits(**json.loads(body))
                self._limits.copy_bytes, self._limits.part_bytes = wanted.copy_bytes, wanted.part_bytes
            case _:
                return None
        return {
            "pending": self._plan.pending(),
            "copy_bytes": self._limits.copy_bytes,
            "part_bytes": self._limits.part_bytes,
        }


async def _swallow(_message: Any) -> None:
    """Drop the emulator's answer: the effect stays, the client never hears of it."""


async def _read_body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body


async def _answer(fault: Fault, scope: Scope, send: Send) -> None:
    if fault.kind is FaultKind.EMPTY_200:
        await _send(send, 200, "application/xml", b"")
        return
    status = 200 if fault.kind is FaultKind.ERROR_IN_200 else fault.status
    if any(name.lower() == b"x-amz-target" for name, _ in scope["headers"]):
        document = {"__type": fault.code, "message": fault.message}
        await _send(send, status, "application/x-amz-json-1.0", json.dumps(document).encode())
        return
    body = b"" if scope["method"] == "HEAD" else s3_error(fault.code, fault.message, status)[2]
    await _send(send, status, "application/xml", body)


async def _send(send: Send, status: int, content_type: str, body: bytes) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
