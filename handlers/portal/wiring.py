"""From ports and settings to the portal that every function is given."""

import sys
import time
from functools import cache
from uuid import uuid4

from domain.portal.layout import Layout
from domain.portal.ports import PathResolver, PortalPorts
from domain.portal.records import PortalTables, UseCase
from domain.rules.compiled import CompiledRules
from handlers.bootstrap.portal import portal_ports
from handlers.bootstrap.process import Process
from handlers.config.settings import read_settings
from handlers.engine.observability import Observer
from handlers.operations.resolve import Resolver
from handlers.portal.archives import ArchiveLimits
from handlers.portal.paths import LayoutPaths, MigrationPaths
from handlers.portal.portal import Portal
from handlers.portal.settings import RATIO_FREE_BYTES, PortalSettings, read_portal_settings


@cache
def portal_of() -> Portal:
    """The portal of a Lambda function, from its environment, made on its first invocation."""
    process, given = Process(read_settings()), read_portal_settings()
    return portal_on(portal_ports(process, tables_of(given)), process.rules, given)


def portal_on(ports: PortalPorts, rules: CompiledRules, given: PortalSettings) -> Portal:
    """The portal on these ports; production and tests call it the same way."""
    observer = Observer(migration=rules.migration, function="portal", stream=sys.stderr)
    resolver = Resolver(rules, ports.manifest, ports.store, ports.stages)

    def paths_of(use_case: UseCase) -> PathResolver:
        if _is_migrated(use_case, rules):
            return MigrationPaths(resolver, rules)
        return LayoutPaths(layout_of(use_case, rules), ports.workplaces.open_workplace(use_case).objects)

    return Portal(
        trainings=ports.trainings,
        use_cases=ports.use_cases,
        workplaces=ports.workplaces,
        layout_of=lambda use_case: layout_of(use_case, rules),
        paths_of=paths_of,
        clock=ports.clock,
        new_token=lambda: uuid4().hex,
        sleep=time.sleep,
        algorithm_arn=given.algorithm_arn,
        limits=limits_of(given),
        say=observer.info,
    )


def tables_of(given: PortalSettings) -> PortalTables:
    """The tables' names."""
    return PortalTables(given.training_table, given.models_table, given.use_cases_table, given.user_roles_table)


def limits_of(given: PortalSettings) -> ArchiveLimits:
    """How large an archive may be."""
    return ArchiveLimits(
        given.archive_members,
        given.archive_member_bytes,
        given.archive_bytes,
        given.archive_ratio,
        RATIO_FREE_BYTES,
    )


def layout_of(use_case: UseCase, rules: CompiledRules) -> Layout:
    """Where the use case's new keys are: where the rules move its bucket to, else in its own bucket."""
    if _is_migrated(use_case, rules):
        return Layout(rules.target_bucket, rules.target_prefix)
    return Layout(use_case.bucket, use_case.prefix)


def _is_migrated(use_case: UseCase, rules: CompiledRules) -> bool:
    return use_case.bucket in (rules.source_bucket, rules.target_bucket)
