"""``keyshift rules``: map keys by a rules file, or prove it."""

import json
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import click

from domain.errors import InputError
from domain.proofs.proof import prove_rules
from domain.rules.compiled import CompiledRules, MapOutcome, MappedKey
from domain.rules.routing import is_mistake
from handlers.cli.rules_report import json_lines, text_lines
from handlers.config.rules_file import load_rules


@click.group()
def rules() -> None:
    """Map keys by a rules file, or prove that no two objects can have the same new key."""


@rules.command("map", short_help="Print where the rules move a key.")
@click.argument("file")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("-0", "--null", "null", is_flag=True, help="Keys on standard input end in NUL, not in a line feed.")
@click.option("--reverse", is_flag=True, help="The keys are target keys: print the legacy keys that map to them.")
@click.pass_context
def map_keys(context: click.Context, file: str, keys: tuple[str, ...], *, null: bool, reverse: bool) -> None:
    """Print one JSON line for each KEY: where the rules in FILE move it.

    Without KEY the keys are read from standard input, one a line. Exit code 1 when a key is rejected, or is unmapped
    and the file says 'unmapped: fail'.

    \b
    Example:
      printf '%s\\n' 'training-output/cookie-1/output/model.tar.gz' | keyshift rules map migrations/edge-cv-portal.yaml
    """
    is_wished = True
    try:
        compiled = load_rules(file)
        for key in keys or read_keys(sys.stdin.buffer, end=b"\0" if null else b"\n"):
            for mapped in _reversed(compiled, key) if reverse else (compiled.map_key(key),):
                click.echo(json.dumps(row(mapped)))
                is_wished &= not is_refused(compiled, mapped, reverse=reverse)
    except InputError as error:
        click.echo(str(error), err=True)
        context.exit(2)
    context.exit(0 if is_wished else 1)


@rules.command("check", short_help="Prove the rules before a byte moves.")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="One JSON line for each finding, the verdict last.")
@click.pass_context
def check_rules(context: click.Context, file: str, *, as_json: bool) -> None:
    """Prove, before a byte moves, that no two keys can collide, nothing loops, and every target is a clean key.

    The verdict is the first line. Then come findings that shut the start, those that FILE allows, and notes.

    Exit code 0 when all is proven or each exception is allowed by name in FILE, 1 when not. Exit code 2 when FILE is
    unusable, or allows a finding that is not there.

    \b
    Example:
      keyshift rules check migrations/edge-cv-portal.yaml
    """
    try:
        compiled = load_rules(file)
    except InputError as error:
        click.echo(str(error), err=True)
        context.exit(2)
    proof = prove_rules(compiled)
    for line in (json_lines if as_json else text_lines)(compiled, proof):
        click.echo(line)
    for entry in proof.unneeded:
        message = f"it allows '{entry.finding}' for '{entry.rule}', but there is no such finding; remove the entry"
        click.echo(f"{file}: {message}", err=True)
    context.exit(2 if proof.unneeded else 0 if proof.is_wished else 1)


def row(mapped: MappedKey) -> dict[str, str | None]:
    """The answer as docs/rules.md writes it."""
    return {
        "key": mapped.key,
        "outcome": mapped.outcome.value,
        "rule": mapped.rule,
        "target_bucket": mapped.target.bucket if mapped.target else None,
        "target_key": mapped.target.key if mapped.target else None,
        "reason": mapped.reason,
    }


def is_refused(compiled: CompiledRules, mapped: MappedKey, *, reverse: bool) -> bool:
    """Whether the command ends with exit code 1."""
    if mapped.outcome is MapOutcome.UNMAPPED:
        return compiled.unmapped == "fail" if reverse else is_mistake(compiled, mapped.key)
    return mapped.outcome is MapOutcome.REJECTED


def read_keys(stream: BinaryIO, *, end: bytes) -> Iterator[str]:
    """The keys of a stream in bounded memory, without their ends; raises InputError for what is not UTF-8."""
    for number, line in enumerate(_lines(stream, end), start=1):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise InputError(
                f"standard input: key {number} is not UTF-8 at byte {error.start + 1}; S3 keys are UTF-8, "
                "so convert the list (and never URL-decode it twice)"
            ) from None


def _lines(stream: BinaryIO, end: bytes) -> Iterator[bytes]:
    pending = b""
    while block := stream.read(65_536):
        *whole, pending = (pending + block).split(end)
        yield from whole
    if pending:
        yield pending


def _reversed(compiled: CompiledRules, target_key: str) -> Iterable[MappedKey]:
    turned = compiled.unmap_key(target_key)
    if turned.keys and turned.reason is None:
        return turned.keys
    reason = turned.reason or "no rule maps a legacy key to it"
    return (*turned.keys, MappedKey(MapOutcome.UNMAPPED, target_key, reason=reason))
