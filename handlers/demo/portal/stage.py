"""What the portal's part plays on, seen through ports."""

from collections.abc import Callable
from dataclasses import dataclass

from domain.portal.layout import Layout
from domain.portal.ports import PortalPorts
from domain.portal.records import PortalTables, UseCase
from domain.queues import MessageQueue
from domain.references.ports import ReferringTables
from handlers.demo.cloud_http import Cloud
from handlers.demo.world import Stage
from handlers.operations.resolve import Resolver


@dataclass(frozen=True, slots=True)
class PortalStage:
    """The demo's stage, the portal's tables and use case on it, and the two services that are played."""

    stage: Stage
    names: PortalTables
    use_case: UseCase
    tables: ReferringTables
    ports: PortalPorts
    layout: Layout
    resolver: Callable[[], Resolver]
    jobs_queue: MessageQueue
    cloud: Cloud
