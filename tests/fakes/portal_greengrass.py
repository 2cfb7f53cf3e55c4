"""Greengrass V2's documented HTTP API, as far as components are published and read: no emulator has it."""

from collections.abc import Iterator
from contextlib import contextmanager

from handlers.demo.cloud_http import Cloud, running_cloud
from tests.fakes.portal import InMemoryComponentService

STANDIN_ACCOUNT = "000000000000"
"""What the stand-in's GetCallerIdentity says: component ARNs are made of it."""


@contextmanager
def running_greengrass() -> Iterator[tuple[str, InMemoryComponentService]]:
    """The endpoint and what it holds."""
    components = InMemoryComponentService(STANDIN_ACCOUNT)
    with running_cloud(Cloud(components)) as url:
        yield url, components
