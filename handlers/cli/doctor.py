"""``keyshift doctor``: what is missing, before anything starts."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from domain.errors import KeyshiftError
from domain.keys import Location
from domain.lifecycle.inspection import Inspector, Tried
from domain.lifecycle.stages import CAPTURING, StageEntry, rules_fault
from domain.rules.compiled import CompiledRules
from domain.rules.lake_tables import first_tables, table_warning
from handlers.cli.account_doctor import key_findings, ownership_findings
from handlers.cli.bucket_doctor import annotation_findings, lifecycle_findings, versioning_findings
from handlers.cli.conformance import PREFIX, WAIT_SECONDS, ConformanceOptions, run_conformance
from handlers.cli.finding import Finding
from handlers.cli.options import ABOVE_ZERO, json_option, with_settings_unless
from handlers.cli.versions_doctor import PART, version_findings
from handlers.config.settings import Settings
from handlers.operations.proof import refuse_rules

if TYPE_CHECKING:
    from handlers.bootstrap.process import Process

MOST_SKEW_SECONDS = 5.0
FIRST_KEYS = 10_000
"""So many keys are looked at for data-lake tables; ``keyshift plan`` looks at all."""
_UNLOCKED = "what is written over or deleted there may be gone; note a link of the chain (docs/audit.md)"


@click.command()
@click.option("--probe", is_flag=True, help="Also try each S3 condition with small objects at the target.")
@click.option("--stack", help="Also look at this deployed stack; table, queues and bus are taken from it.")
@click.option("--user-pool", help="Also look at the app clients of the portal's Cognito user pool: its ARN or id.")
@click.option("--conformance", is_flag=True, help="Only try what the protocol needs of AWS, with new resources.")
@click.option("--bucket-prefix", help=f"Beginning of the names that --conformance makes.  [default: {PREFIX}]")
@click.option("--kms-key", help="ARN of a KMS key, for the facts of --conformance about encryption.")
@click.option(
    "--wait",
    type=ABOVE_ZERO,
    help=f"Maximum number of seconds for which --conformance waits for events.  [default: {WAIT_SECONDS:.0f}]",
)
@click.option("--write", type=click.Path(path_type=Path), help="Also write the table of --conformance as Markdown.")
@json_option
@with_settings_unless("conformance")
@click.pass_context
def doctor(
    context: click.Context,
    settings: Settings,
    *,
    probe: bool,
    stack: str | None,
    user_pool: str | None,
    conformance: bool,
    bucket_prefix: str | None,
    kms_key: str | None,
    wait: float | None,
    write: Path | None,
    as_json: bool,
) -> None:
    """Look at credentials, buckets, table, queues and bus, and say what would go wrong.

    Writes nothing, but with --probe small objects, which it deletes again. Exit code 1 when something is missing.
    With --conformance it looks at no migration. It makes buckets, a table, queues and a bus of its own, compares what
    they answer with what keyshift needs, and removes them, also after Ctrl-C (docs/conformance.md).

    \b
    Example:
      keyshift doctor --rules portal.yaml --table keyshift --events-queue URL --backfill-queue URL
      keyshift doctor --probe
      keyshift doctor --rules portal.yaml --table keyshift-prod-manifest --stack keyshift-prod
      keyshift doctor --user-pool us-east-1_example
      keyshift doctor --conformance --write conformance.md
    """
    from handlers.bootstrap import inspection
    from handlers.bootstrap.process import Process
    from handlers.cli.pool_doctor import examine_user_pool
    from handlers.cli.stack_doctor import examine_stack, with_stack

    process = Process(settings)
    chosen = ConformanceOptions(bucket_prefix, kms_key, wait, write)
    if conformance:
        run_conformance(
            context,
            inspection.conformance_of(process, prefix=chosen.prefix, wait=wait or WAIT_SECONDS, kms_key=kms_key or ""),
            server=inspection.server_of(process),
            prefix=chosen.prefix,
            write=write,
            as_json=as_json,
        )
    chosen.refuse_alone()
    found: list[Finding] = []
    if stack is not None:
        deployed = inspection.deployed_stack(process, stack)
        deployed_settings = with_stack(settings, deployed.resources)
        process = Process(deployed_settings, rules=process.rules, clients=process.clients)
        found += examine_stack(process.rules, deployed, queue=inspection.inspector_of(process).queue)
    findings = list(examine(process, inspection.inspector_of(process))) + found
    if user_pool is not None:
        findings += examine_user_pool(inspection.user_pool(process, user_pool))
    if probe:
        findings += tried(inspection.probe_of(process))
    for finding in findings:
        click.echo(json.dumps(asdict(finding)) if as_json else f"{finding.level:4}  {finding.part}: {finding.text}")
    context.exit(1 if any(finding.level == "fail" for finding in findings) else 0)


def examine(process: "Process", inspector: Inspector) -> Iterator[Finding]:
    """Every finding; one part that fails does not hide the others."""
    settings, rules = process.settings, process.rules
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("credentials", lambda: _identity(inspector)),
        ("rules", lambda: rules_findings(rules, inspector.stage_of(settings.table))),
        (
            "source bucket",
            lambda: chain(
                _source(rules, inspector),
                _lake_tables(process),
                annotation_findings(rules, inspector),
                key_findings(rules, inspector),
            ),
        ),
        ("target bucket", lambda: chain(_target(rules, inspector), ownership_findings(rules, inspector))),
        (PART, lambda: version_findings(rules, inspector)),
        ("manifest table", lambda: _table(settings, inspector)),
        ("events queue", lambda: _queue("events queue", settings.events_queue_url, settings, inspector)),
        ("backfill queue", lambda: _queue("backfill queue", settings.backfill_queue_url, settings, inspector)),
        ("event bus", lambda: _bus(settings, inspector)),
        ("audit chain", lambda: _audit(process)),
    ]
    for part, check in checks:
        try:
            yield from check()
        except KeyshiftError as error:
            yield Finding("fail", part, str(error))


def tried(conditions: Iterable[Tried]) -> Iterator[Finding]:
    """One finding for each condition."""
    try:
        for condition in conditions:
            if not condition.fault:
                yield Finding("ok", condition.name, "honoured")
            elif condition.is_vital:
                yield Finding("fail", condition.name, f"{condition.fault}; use a server that honours it")
            else:
                yield Finding("warn", condition.name, condition.fault)
    except KeyshiftError as error:
        yield Finding("fail", "probe", str(error))


def rules_findings(rules: CompiledRules, entry: StageEntry) -> Iterator[Finding]:
    """Whether the rules are proven, and are the ones that start proved."""
    refused = refuse_rules(rules)
    if refused is not None:
        yield Finding("fail", "rules", refused)
    else:
        yield Finding("ok", "rules", f"{rules.migration}: proven, or allowed by name (digest {rules.digest[:12]})")
    fault = rules_fault(entry, rules.digest)
    if fault is not None:
        yield Finding("fail", "rules", fault)
    elif entry.stage in CAPTURING[1:] and not entry.rules_digest:
        text = f"the migration is {entry.stage.value}, but an earlier version started it, which proved no rules:"
        yield Finding("warn", "rules", f"{text} run keyshift start --yes again")


def _identity(inspector: Inspector) -> Iterator[Finding]:
    yield Finding("ok", "credentials", inspector.identity())


def _source(rules: CompiledRules, inspector: Inspector) -> Iterator[Finding]:
    name = rules.source_bucket
    facts = inspector.bucket(name)
    yield Finding("ok", "source bucket", f"{name} can be listed, versioning is {facts.versioning}")
    yield from versioning_findings("source bucket", name, facts.versioning)
    if not facts.sends_events:
        yield Finding(
            "fail",
            "source bucket",
            f"{name} sends no events to the events queue: run keyshift start --yes",
        )
    skew = abs(facts.server_time - time.time())
    if facts.server_time and skew > MOST_SKEW_SECONDS:
        yield Finding("fail", "clock", f"this machine's clock is {skew:.0f} s off: set it, or claims end early")
    inspector.can_read(Location(name, rules.source_prefix + "keyshift-doctor-looks-for-this"))
    yield from lifecycle_findings("source bucket", rules, inspector.lifecycle(name))


def _target(rules: CompiledRules, inspector: Inspector) -> Iterator[Finding]:
    yield from lifecycle_findings("target bucket", rules, inspector.lifecycle(rules.target_bucket))
    if rules.target_bucket == rules.source_bucket:
        return
    facts = inspector.bucket(rules.target_bucket)
    yield Finding("ok", "target bucket", f"{rules.target_bucket} can be listed, versioning is {facts.versioning}")
    inspector.can_read(Location(rules.target_bucket, rules.target_prefix + "keyshift-doctor-looks-for-this"))


def _table(settings: Settings, inspector: Inspector) -> Iterator[Finding]:
    view = inspector.table_stream(settings.table)
    if view == "NEW_AND_OLD_IMAGES":
        yield Finding("ok", "manifest table", f"{settings.table} has its stream")
        return
    has = f"has a stream of {view}" if view else "has no stream"
    yield Finding("fail", "manifest table", f"{settings.table} {has}: enable one with NEW_AND_OLD_IMAGES for the audit")


def _queue(part: str, url: str, settings: Settings, inspector: Inspector) -> Iterator[Finding]:
    if not url:
        yield Finding("fail", part, f"no URL is given: set --{part.replace(' ', '-')} or its variable")
        return
    facts = inspector.queue(url)
    yield Finding("ok", part, f"visibility {facts.visibility_seconds} s, retention {facts.retention_seconds // 3600} h")
    if not facts.dead_letter_arn:
        yield Finding(
            "fail",
            part,
            "it has no dead-letter queue: give it one, or a bad message comes back forever",
        )
    elif facts.most_receives < 5:
        yield Finding(
            "warn", part, f"after {facts.most_receives} receives a message goes to the DLQ: AWS advises 5 or more"
        )
    if facts.visibility_seconds < settings.attempt_seconds:
        yield Finding(
            "warn",
            part,
            f"its visibility time-out is shorter than an attempt ({settings.attempt_seconds:.0f} s): messages would "
            "come twice",
        )


def _bus(settings: Settings, inspector: Inspector) -> Iterator[Finding]:
    inspector.bus(settings.bus)
    yield Finding("ok", "event bus", f"{settings.bus} is there")


def _lake_tables(process: "Process") -> Iterator[Finding]:
    from handlers.bootstrap.inspection import object_listing

    rules = process.rules
    listed = object_listing(process).list_objects(rules.source_bucket, prefix=rules.source_prefix)
    keys = (one.key for one in islice(listed, FIRST_KEYS))
    for table in first_tables(keys, rules.accepted_tables):
        yield Finding("warn", "data-lake tables", table_warning(table))


def _audit(process: "Process") -> Iterator[Finding]:
    from handlers.bootstrap.audit import audit_place

    if not process.settings.audit_bucket:
        yield Finding("warn", "audit chain", "off: without KEYSHIFT_AUDIT_BUCKET there is no proof of what was done")
        return
    place = audit_place(process)
    if place.is_locked:
        yield Finding("ok", "audit chain", f"in {place.bucket}, which has object lock")
        return
    yield Finding("warn", "audit chain", f"{place.bucket} has no object lock: {_UNLOCKED}")
