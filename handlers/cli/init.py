"""``keyshift init``: a first rules file and settings, guessed from a bucket's keys."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click

from domain.errors import InputError
from domain.proofs.proof import Proof, prove_rules
from domain.rules.compiled import CompiledRules, MapOutcome
from domain.rules.guessing import KINDS, Guess, guess_rules
from domain.rules.lake_tables import first_tables, table_warning
from handlers.cli.options import json_option, whole_number
from handlers.cli.output import write_text
from handlers.cli.rules_report import text_lines
from handlers.config.rules_file import read_rules
from handlers.config.rules_model import checked_bucket

STACK_SETTINGS = tuple(
    f"KEYSHIFT_{name}"
    for name in (
        "TABLE",
        "EVENTS_QUEUE_URL",
        "BACKFILL_QUEUE_URL",
        "INVENTORY_QUEUE_URL",
        "BUS",
        "AUDIT_BUCKET",
        "LOOKING_QUEUE_URL",
        "REMOVING_QUEUE_URL",
        "RESTORING_QUEUE_URL",
        "REWRITING_QUEUE_URL",
        "FUNCTIONS",
    )
)
"""The settings that are outputs of the stack (serverless.yml); a stack gives their names, so they are not guessed."""


@click.command()
@click.argument("bucket")
@click.option("--inventory", help="Take the keys from an S3 Inventory (path or s3:// URI) and not from a listing.")
@click.option("--prefix", default="", help="Only keys below this prefix; the rules file gets it as source prefix.")
@click.option("--below", default="new/", show_default=True, help="The prefix of the new layout.")
@whole_number("--sample", 200_000, "Maximum number of keys to read.")
@click.option("--out", default="rules.yaml", show_default=True, type=click.Path(path_type=Path), help="The rules file.")
@click.option(
    "--env",
    "env_file",
    default="keyshift.env",
    show_default=True,
    type=click.Path(path_type=Path),
    help="The file with settings, to be read by a shell.",
)
@click.option("--force", is_flag=True, help="Replace existing files.")
@click.option("--region", envvar="KEYSHIFT_REGION", help="The AWS region.  [env: KEYSHIFT_REGION]")
@click.option("--endpoint-url", envvar="KEYSHIFT_ENDPOINT_URL", help="Another server.  [env: KEYSHIFT_ENDPOINT_URL]")
@json_option
@click.pass_context
def init(
    context: click.Context,
    bucket: str,
    *,
    inventory: str | None,
    prefix: str,
    below: str,
    sample: int,
    out: Path,
    env_file: Path,
    force: bool,
    region: str | None,
    endpoint_url: str | None,
    as_json: bool,
) -> None:
    """Read the keys of BUCKET and write a first rules file.

    Each rule has the number of its objects and a degree of certainty. You decide where they go: edit every 'to'.
    Nothing in AWS is changed. Exit code 1 when the proofs find a fault in the file.

    \b
    Example:
      keyshift init manufacturing-line-1 --prefix datasets/ --below v2/
    """
    from handlers.bootstrap.inspection import sampled_keys

    for path in (out, env_file):
        if path.exists() and not force:
            raise InputError(f"{path} is there already: name another file, or replace it with --force")
    if not below.endswith("/") or below.startswith("/") or "//" in below:
        raise InputError(f"--below {below!r} must end in one slash, and neither begin with one nor hold two in a row")
    try:
        checked_bucket(bucket)
    except ValueError as error:
        raise InputError(f"{error}; give the name alone, without s3://") from error
    with sampled_keys(bucket, prefix, inventory=inventory, region=region, endpoint_url=endpoint_url) as found:
        keys = list(islice(found, sample))
    if not keys:
        raise InputError(f"s3://{bucket}/{prefix} has no objects to guess from")
    guesses = guess_rules((key.removeprefix(prefix) for key in keys), below=below)
    if not guesses:
        raise InputError(f"s3://{bucket}/{prefix} has only folder markers")
    text = rules_text(bucket, prefix, guesses)
    compiled = read_rules(text, name=str(out))
    proof = prove_rules(compiled)
    unmapped = sum(compiled.map_key(key).outcome is MapOutcome.UNMAPPED for key in keys)
    write_text(out, text, option="--out")
    write_text(env_file, env_text(out, region, endpoint_url), option="--env")
    lines = _json_lines if as_json else _text_lines
    for line in lines(guesses, compiled, proof, keys=len(keys), unmapped=unmapped):
        click.echo(line)
    for table in first_tables(keys):
        click.echo(f"WARNING: {table_warning(table)}", err=True)
    click.echo(f"wrote {out} and {env_file}; next: edit each 'to', then keyshift rules check {out}", err=True)
    context.exit(0 if proof.is_wished else 1)


def rules_text(bucket: str, prefix: str, guesses: tuple[Guess, ...]) -> str:
    """The rules file; texts are JSON strings, which YAML reads as they are."""
    place = {"bucket": bucket} | ({"prefix": prefix} if prefix else {})
    used = [name for name in KINDS if any(f":{name}}}" in guess.source for guess in guesses)]
    lines = [
        "# Guessed by keyshift init: a beginning, not a decision. Edit every 'to'; docs/rules.md says how.",
        "version: 1",
        f"migration: {_migration(bucket)}",
        f"source: {_flow(place)}",
        f"target: {_flow(place)}",
    ]
    lines += ["kinds:", *(f"  {name}: {_quoted(KINDS[name])}" for name in used)] if used else []
    lines.append("rules:")
    for guess in guesses:
        lines.append(f"  # {guess.sureness.value}, {guess.objects:,} objects: {guess.why}")
        lines.append(f"  # for example {_quoted(guess.example)}")
        lines.append(f"  - name: {_quoted(guess.name)}")
        lines.append(f"    from: {_quoted(guess.source)}")
        lines.append(f"    to: {_quoted(guess.target)}")
    # No "keep" for the new layout: only the migration writes there yet, and a copy could collide with a kept key.
    lines += ["unmapped: report", "deletes: mirror"]
    return "\n".join(lines) + "\n"


def env_text(rules_file: Path, region: str | None, endpoint_url: str | None) -> str:
    """Settings for a shell: the known ones, and which ones the deployed stack adds."""
    lines = ["# set -a; . ./keyshift.env; set +a", f"KEYSHIFT_RULES_FILE={rules_file}"]
    lines += [f"KEYSHIFT_REGION={region}"] if region else []
    lines += [f"KEYSHIFT_ENDPOINT_URL={endpoint_url}"] if endpoint_url else []
    lines.append(
        '# The deployed stack has these; docs/deploy.md, "After the first deployment", adds them by one command:'
    )
    lines += [f"#{variable}=" for variable in STACK_SETTINGS]
    return "\n".join(lines) + "\n"


def _text_lines(
    guesses: tuple[Guess, ...], compiled: CompiledRules, proof: Proof, *, keys: int, unmapped: int
) -> Iterator[str]:
    for guess in guesses:
        yield f"{guess.sureness.value:7} {guess.objects:>10,}  {_quoted(guess.source)}  ({guess.why})"
    yield f"{keys:,} keys read, {unmapped:,} of them match no rule"
    yield from text_lines(compiled, proof)


def _json_lines(
    guesses: tuple[Guess, ...], compiled: CompiledRules, proof: Proof, *, keys: int, unmapped: int
) -> Iterator[str]:
    for guess in guesses:
        yield json.dumps(
            {
                "rule": guess.name,
                "from": guess.source,
                "to": guess.target,
                "objects": guess.objects,
                "example": guess.example,
                "sureness": guess.sureness.value,
                "why": guess.why,
            }
        )
    yield json.dumps({"keys": keys, "unmapped": unmapped, "rules": len(compiled.rules), "verdict": proof.verdict.value})


def _migration(bucket: str) -> str:
    return bucket.replace(".", "-")


def _flow(values: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {_quoted(value)}" for name, value in values.items()) + "}"


def _quoted(text: str) -> str:
    """ASCII, so that a key cannot break a line or hide its content."""
    return json.dumps(text)
