"""``keyshift doctor --stack``: checks the deployed stack and the account around it."""

from collections.abc import Callable, Iterator, Mapping

from domain.errors import KeyshiftError
from domain.kms_keys import account_of
from domain.lifecycle.inspection import QueueFacts, StackInspector
from domain.rules.compiled import BucketSide, CompiledRules
from handlers.cli.bucket_doctor import lock_findings
from handlers.cli.finding import Finding
from handlers.config.settings import Settings

_QUEUES = {
    "ObjectEvents": "EventsQueue",
    "Backfill": "BackfillQueue",
    "Inventory": "InventoryQueue",
    "LookingWork": "LookingQueue",
    "RemovingWork": "RemovingQueue",
    "RestoringWork": "RestoringQueue",
    "RewritingWork": "RewritingQueue",
}
_MOVERS = ("ObjectEventsRole", "BackfillRole", "BatchOperationsRole")
_SEE_LOCKS = ("s3:GetObjectRetention", "s3:GetObjectLegalHold")
"""Without these HEAD shows a locked object as one without a lock, and does not say so (aws-facts.md §2.6)."""
_SET_LOCKS = ("s3:PutObjectRetention", "s3:PutObjectLegalHold")
_READ = ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectTagging", *_SEE_LOCKS)
_WRITE = (
    "s3:GetObject",
    "s3:PutObject",
    "s3:PutObjectTagging",
    "s3:AbortMultipartUpload",
    *_SEE_LOCKS,
    *_SET_LOCKS,
)
_READ_ANNOTATIONS = ("s3:GetObjectAnnotation", "s3:ListObjectAnnotations")
_WRITE_ANNOTATIONS = (*_READ_ANNOTATIONS, "s3:PutObjectAnnotation")
_DECRYPT, _ENCRYPT = ("kms:Decrypt",), ("kms:GenerateDataKey", "kms:Decrypt")
_GRANT = ("s3:PutObjectAcl",)
_LEDGER = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem")
_TOGETHER = ("dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate")
"""For the roles whose functions work batches off; a task of S3 Batch Operations is one object."""
VISIBILITY = 6
"""Times the function's time-out (Lambda's own advice for queues)."""
LEAST_CONCURRENCY = 100


def with_stack(settings: Settings, resources: Mapping[str, str]) -> Settings:
    """The settings with what the stack made in the place of what was not given."""
    made = {
        "events_queue_url": resources.get("EventsQueue", ""),
        "backfill_queue_url": resources.get("BackfillQueue", ""),
        "inventory_queue_url": resources.get("InventoryQueue", ""),
        "audit_bucket": resources.get("AuditBucket", ""),
        "table": resources.get("ManifestTable", settings.table),
        "bus": resources.get("AuditBus", settings.bus),
    }
    return settings.model_copy(update=made)


def examine_stack(
    rules: CompiledRules, stack: StackInspector, *, queue: Callable[[str], QueueFacts]
) -> Iterator[Finding]:
    """Every finding; one part that cannot be looked at does not hide the others. ``queue`` gives a queue's facts."""
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        *(
            (f"function {name}", lambda name=name: _function(stack, name, queue))
            for name in (*_QUEUES, "ManifestStream")
        ),
        ("events queue's policy", lambda: _senders(stack)),
        ("manifest table", lambda: _table(stack)),
        ("permissions", lambda: _permissions(rules, stack)),
        ("KMS keys", lambda: _keys(rules, stack)),
        ("concurrency", lambda: _concurrency(stack)),
        ("source bucket", lambda: _bucket("source bucket", rules.source, stack)),
        ("target bucket", lambda: _bucket("target bucket", rules.target, stack)),
        ("target bucket", lambda: lock_findings(*map(stack.bucket, (rules.source_bucket, rules.target_bucket)))),
    ]
    for part, check in checks:
        try:
            yield from check()
        except KeyshiftError as error:
            yield Finding("fail", part, str(error))


def _function(stack: StackInspector, name: str, queue: Callable[[str], QueueFacts]) -> Iterator[Finding]:
    part = f"function {name}"
    function = stack.resources.get(f"{name}LambdaFunction")
    if function is None:
        yield Finding("fail", part, f"{stack.name} has none: deploy it again")
        return
    mappings = stack.mappings(function)
    if not mappings:
        yield Finding("fail", part, "nothing feeds it: its event source mapping is missing, deploy again")
    for mapping in mappings:
        if mapping.state not in ("Enabled", "Creating", "Enabling", "Updating"):
            yield Finding(
                "fail", part, f"its mapping is {mapping.state}: `keyshift resume` enables what a pause disabled"
            )
        elif not mapping.reports_failures:
            yield Finding("fail", part, "its mapping lacks ReportBatchItemFailures: failed messages would be lost")
        else:
            yield Finding("ok", part, f"its mapping is {mapping.state}, at most {mapping.concurrency or 'any'} at once")
    if name not in _QUEUES:
        return
    facts = queue(stack.resources[_QUEUES[name]])
    wanted = VISIBILITY * stack.time_out(function)
    if facts.visibility_seconds < wanted:
        yield Finding("fail", part, f"messages are hidden for {facts.visibility_seconds} s, {wanted} s are needed")
    if not facts.dead_letter_arn:
        yield Finding("fail", part, "its queue has no dead-letter queue: a bad message comes back forever")


def _senders(stack: StackInspector) -> Iterator[Finding]:
    part = "events queue's policy"
    rule = stack.resources.get("SourceRule")
    if rule is not None and stack.rule_state(rule) != "ENABLED":
        yield Finding("fail", part, f"the rule {rule} is disabled: live writes are not captured; enable it")
    conditions = stack.senders(stack.resources["EventsQueue"])
    wanted = f"rule/{rule}" if rule else ":s3:::"
    if any(wanted in condition for condition in conditions):
        yield Finding("ok", part, "S3's events of the source bucket may arrive, and nothing else")
    else:
        yield Finding("fail", part, "it lets no event of the source bucket in: deploy again")


def _table(stack: StackInspector) -> Iterator[Finding]:
    facts = stack.table(stack.resources["ManifestTable"])
    wrong = {
        "no stream of both images: there would be no audit": facts.stream_view != "NEW_AND_OLD_IMAGES",
        "no point-in-time recovery": not facts.recovery,
        f"its expiry is on '{facts.expiry}', not on expires_at": facts.expiry != "expires_at",
        "no deletion protection": not facts.protected,
    }
    for text, is_so in wrong.items():
        if is_so:
            yield Finding("fail", "manifest table", f"{text}; deploy again, or switch it on")
    if not any(wrong.values()):
        yield Finding("ok", "manifest table", "stream, recovery, expiry and deletion protection are on")


def _permissions(rules: CompiledRules, stack: StackInspector) -> Iterator[Finding]:
    own = stack.account()
    source, target = f"arn:aws:s3:::{rules.source_bucket}", f"arn:aws:s3:::{rules.target_bucket}"
    owners = rules.source.expected_owner or own, rules.target.expected_owner or own
    is_fine, has_some = True, not rules.promised_unannotated
    read, write = _READ + _READ_ANNOTATIONS * has_some, _WRITE + _WRITE_ANNOTATIONS * has_some
    write += _GRANT * rules.grants_full_control
    for role in _MOVERS:
        name = stack.resources[role]
        ledger = _LEDGER if role == "BatchOperationsRole" else (*_LEDGER, *_TOGETHER)
        denied = [
            *stack.denied(name, read, f"{source}/{rules.source_prefix}key", account=owners[0]),
            *stack.denied(name, ("s3:ListBucket",), source, account=owners[0]),
            *stack.denied(name, ("s3:ListBucket", "s3:GetEncryptionConfiguration"), target, account=owners[1]),
            *stack.denied(name, write, f"{target}/{rules.target_prefix}key", account=owners[1]),
            *stack.denied(name, ledger, _table_arn(stack, own), account=own),
        ]
        for action in dict.fromkeys(denied):
            is_fine = False
            yield Finding("fail", "permissions", f"{role} may not {action}: deploy again; docs/iam.md gives the reason")
    if is_fine:
        yield Finding("ok", "permissions", "the roles allow what the functions call; bucket policies are not simulated")


def _keys(rules: CompiledRules, stack: StackInspector) -> Iterator[Finding]:
    """Whether the roles may use the keys that the rules file names; the keys' own policies are not simulated."""
    for old, new in rules.kms_keys.pairs.items():
        for key, actions in ((old, _DECRYPT), (new, _ENCRYPT)):
            account = account_of(key)
            if not account:
                continue
            for role in _MOVERS:
                for action in stack.denied(stack.resources[role], actions, key, account=account):
                    text = f"{role} may not {action} on {key}: deploy with --param kmsKeyArn=ARN,ARN, all keys in it"
                    yield Finding("fail", "KMS keys", text)


def _table_arn(stack: StackInspector, account: str) -> str:
    return f"arn:aws:dynamodb:{stack.region()}:{account}:table/{stack.resources['ManifestTable']}"


def _concurrency(stack: StackInspector) -> Iterator[Finding]:
    most = stack.concurrency()
    level = "ok" if most >= LEAST_CONCURRENCY else "warn"
    hint = "" if level == "ok" else ": new accounts have few; ask for more, or throttled receives end in the DLQ"
    yield Finding(level, "concurrency", f"{most} invocations may run at once in this account{hint}")


def _bucket(part: str, side: BucketSide, stack: StackInspector) -> Iterator[Finding]:
    name, facts = side.bucket, stack.bucket(side.bucket)
    if facts.lock_mode:
        yield Finding("warn", part, f"objects are locked by default ({facts.lock_mode}): cleanup and undo must wait")
    if facts.requester_pays and not side.requester_pays:
        line = f"`requester_pays: true` under `{part.partition(' ')[0]}` in the rules file"
        yield Finding("fail", part, f"it is requester pays: write {line}, or switch that off")
    if facts.encryption.startswith("aws:kms"):
        yield Finding("warn", part, "its default is a KMS key: set kmsKeyArn, and copies are proven by checksums")
    yield Finding("ok", part, f"{name}: object lock, encryption and requester pays looked at")
