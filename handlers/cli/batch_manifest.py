"""``keyshift batch-manifest``: the manifest of an S3 Batch Operations job, from a saved plan."""

import csv
from pathlib import Path
from urllib.parse import quote

import click

from domain.rules.compiled import MapOutcome
from handlers.cli.options import with_settings
from handlers.cli.output import machine_output
from handlers.config.settings import Settings


@click.command("batch-manifest")
@click.argument("plan", type=click.Path(path_type=Path, dir_okay=False))
@with_settings
def batch_manifest(settings: Settings, plan: Path) -> None:
    """Write PLAN's objects that move as a CSV manifest (S3BatchOperations_CSV_20180820: Bucket, Key) for a job.

    Keys are percent-encoded once, spaces too, so that every reader decodes them in the same way. The job's operation is
    the stack's function batch-operations, which treats each object as a backfill row; see docs/deploy.md.

    \b
    Example:
      keyshift plan portal.yaml --inventory manifest.json --out plan.parquet
      keyshift batch-manifest plan.parquet --rules portal.yaml --table keyshift > batch.csv
    """
    from handlers.bootstrap.planning import plan_rows
    from handlers.config.rules_file import load_rules

    rules = load_rules(settings.rules_file)
    lines = csv.writer(machine_output(), lineterminator="\n")
    with plan_rows(plan, rules.source_bucket) as (_, files):
        for rows in files.values():
            for row in rows(0):
                if row is not None and rules.map_key(row.key).outcome is MapOutcome.MOVE:
                    lines.writerow([rules.source_bucket, quote(row.key, safe="/")])
