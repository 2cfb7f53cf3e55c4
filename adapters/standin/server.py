"""Builds the stand-in and serves it on loopback."""

import asyncio
import gc
import os
import socket
import sys
import threading
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from adapters.standin.application import Application
from adapters.standin.archives import install_archives
from adapters.standin.emulator import load_emulator
from adapters.standin.entries import install_entries
from adapters.standin.events import Notifications
from adapters.standin.faults import FaultPlan
from adapters.standin.limits import Limits
from adapters.standin.move_tasks import install_move_tasks
from adapters.standin.permissions import install_permissions
from adapters.standin.queues import install_queues
from adapters.standin.scans import install_scans
from adapters.standin.statements import install_statements
from adapters.standin.strict import StrictS3

LOOPBACK = "127.0.0.1"


def serve(*, port: int, ready_file: Path | None, limits: Limits, until_stdin_closes: bool, stream_seconds: int) -> None:
    """Serve until SIGTERM or SIGINT, or until standard input ends; ``port`` 0 takes a free one.

    A table's stream keeps a change for ``stream_seconds``. The endpoint's URL is written to ``ready_file`` once
    requests are answered.
    """
    with socket.create_server((LOOPBACK, port)) as listener:
        bound = listener.getsockname()[1]
        os.environ["GATEWAY_PORT"] = str(bound)
        if until_stdin_closes:
            threading.Thread(target=_exit_at_end_of_input, daemon=True).start()
        asyncio.run(_serve(listener, f"http://{LOOPBACK}:{bound}", ready_file, limits, stream_seconds))


async def _serve(
    listener: socket.socket, url: str, ready_file: Path | None, limits: Limits, stream_seconds: int
) -> None:
    emulator = load_emulator()
    emulator.dynamodb._STREAM_RETENTION_SECONDS = stream_seconds
    from hypercorn.asyncio import serve as serve_hypercorn
    from hypercorn.config import Config

    StrictS3(emulator.s3, limits).install()
    Notifications(emulator).install(asyncio.get_running_loop())
    install_queues(emulator.sqs)
    install_move_tasks(emulator.sqs)
    install_archives(emulator.eventbridge)
    install_permissions()
    plan = FaultPlan()
    install_entries(emulator, plan)
    install_statements(emulator, plan)
    install_scans(emulator)
    application = Application(emulator.app, limits, plan, _recorded_connections())
    if ready_file is not None:
        application.on_ready = lambda: _announce(ready_file, url)
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "ERROR"
    # What is loaded now stays for good; scanning it again and again costs a tenth of the throughput.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    await serve_hypercorn(application, config)  # type: ignore[arg-type]  # ASGI by shape, not by hypercorn's types


def _announce(ready_file: Path, url: str) -> None:
    partial = ready_file.with_name(f"{ready_file.name}.partial")
    partial.write_text(url)
    partial.replace(ready_file)


def _recorded_connections() -> MutableMapping[Any, Any]:
    """Client address to connection, which hypercorn does not tell an application and a reset needs."""
    from hypercorn.asyncio.tcp_server import TCPServer

    connections: MutableMapping[Any, Any] = WeakValueDictionary()
    initiate = TCPServer.run

    async def run(self: TCPServer) -> None:
        connections[self.writer.get_extra_info("peername")] = self.writer
        await initiate(self)

    TCPServer.run = run  # type: ignore[method-assign]
    return connections


def _exit_at_end_of_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
