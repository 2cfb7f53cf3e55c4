"""The world of the portal's part, behind ports."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.portal.layout import Layout
from domain.portal.ports import PortalPorts
from domain.portal.records import PortalTables, UseCase
from domain.queues import MessageQueue
from domain.references.ports import ReferringTables
from handlers.demo.cloud_http import Cloud
from handlers.demo.world import DemoWorld
from handlers.operations.resolve import Resolver


@dataclass(frozen=True, slots=True)
class PortalSetup:
    """The demo's world, the portal's tables and use case in it, and the two simulated services."""

    demo: DemoWorld
    names: PortalTables
    use_case: UseCase
    tables: ReferringTables
    ports: PortalPorts
    layout: Layout
    resolver: Callable[[], Resolver]
    jobs_queue: MessageQueue
    cloud: Cloud
