"""``python -m tests.mutation``: change the domain's meaning in one place at a time, and see whether a test notices.

A mutator of our own: mutmut 3 wants one package root and copies the sources, cosmic-ray starts a test run for each
mutant. Here every test's lines are recorded once; a mutant is judged by the tests that reach it, in a forked process
that has everything imported, which takes well under a second for most.
"""

import argparse
import importlib
import sys
from pathlib import Path
from random import Random

from tests.mutation.judging import Job, job_of, judge
from tests.mutation.mutants import mutants_of
from tests.mutation.recording import SUITES, kept_recording
from tests.mutation.results import (
    NOTICED,
    UNNOTICED,
    add_result,
    read_examined,
    read_results,
    result_of,
    table,
    with_examined,
)

OF_OTHER_WINGS = (
    *("keys", "objects", "reporting.progress", "rules.paths", "rules.references"),
    *("lifecycle.gates", "lifecycle.stages", "lifecycle.verification", "steering.breaker", "steering.control"),
    *("references.item_rewriting", "references.items", "references.json_strings", "references.manifest_lines"),
    *("references.manifest_reading", "references.manifest_rewriting", "references.reports", "references.undo"),
)
CORE = frozenset((*OF_OTHER_WINGS, *(f"protocol.{path.stem}" for path in Path("domain/protocol").glob("*.py"))))
"""The modules that decide what is written, deleted or rewritten: the protocol's wing, and some of others."""
PRELOADED = ("greenlet", "pydantic", "boto3", "yaml", "rich", "click", "aws_lambda_powertools", "duckdb")


def main(arguments: list[str]) -> int:
    """Print each survivor and the score by module; 1 when one of the core was noticed by nothing, or not examined."""
    options = _parser().parse_args(arguments)
    if not options.report:
        _judge(options)
    results = with_examined(read_results(options.results), read_examined())
    for one in results:
        if one.verdict in UNNOTICED and options.report:
            print(f"{one.verdict:11s} {one.module}:{one.line} {one.function}: {one.change}")
    print("\n".join(table(results, CORE)))
    return int(any(one.verdict in UNNOTICED and one.module.removeprefix("domain.") in CORE for one in results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", help="in domain/, like protocol/attempt (default: all)")
    parser.add_argument("--core", action="store_true", help="only the modules that write, delete or rewrite")
    parser.add_argument("--sample", type=int, default=0, help="how many mutants of all that there are (0: every one)")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path("build/mutation.jsonl"), help="JSON Lines, added to")
    parser.add_argument(
        "--recording", type=Path, default=Path("build/mutation.lines"), help="which test runs which line"
    )
    parser.add_argument("--seconds", type=float, default=10.0, help="of tests for each mutant, fastest first")
    parser.add_argument("--deep", action="store_true", help="and a sweep of crashes and whole migrations for each")
    parser.add_argument("--tests", nargs="+", default=(), help="judge by these files or folders only")
    parser.add_argument("--again", action="store_true", help="judge the survivors on file again that nobody examined")
    parser.add_argument("--report", action="store_true", help="only print what is on file")
    return parser


def _judge(options: argparse.Namespace) -> None:
    options.results.parent.mkdir(parents=True, exist_ok=True)
    every = [mutant for path in _paths(options) for mutant in mutants_of(path)]
    chosen = Random(options.seed).sample(every, min(options.sample, len(every)) if options.sample else len(every))
    known = {_change_of(one): one.verdict for one in with_examined(read_results(options.results), read_examined())}
    wanted = sorted(
        (one for one in chosen if _is_wanted(known.get(_change_of(result_of(one, "", 0))), again=options.again)),
        key=lambda one: (one.module, one.line),
    )
    print(f"{len(wanted)} mutants to judge of {len(every):,} that there are", flush=True)
    recording = kept_recording(options.recording, options.tests or SUITES, processes=options.processes)
    for name in PRELOADED:
        importlib.import_module(name)

    def told(job: Job, verdict: str) -> None:
        add_result(options.results, result_of(job.mutant, verdict, len(job.tests)))
        if verdict not in NOTICED:
            print(f"{verdict:11s} {job.mutant}", flush=True)

    jobs = [job_of(one, recording, at_most=options.seconds, deep=options.deep) for one in wanted]
    if options.tests:
        # Tests that were named and do not reach a mutant say nothing of what the others found.
        jobs = [one for one in jobs if one.tests or _change_of(result_of(one.mutant, "", 0)) not in known]
    judge(jobs, told, seconds=recording.seconds, processes=options.processes)


def _paths(options: argparse.Namespace) -> list[Path]:
    if options.modules:
        return [Path("domain", f"{name}.py") for name in options.modules]
    every = sorted(path for path in Path("domain").rglob("*.py") if path.stem != "ports")
    return [path for path in every if _name_of(path) in CORE] if options.core else every


def _name_of(path: Path) -> str:
    return ".".join(path.with_suffix("").parts[1:])


def _is_wanted(verdict: str | None, *, again: bool) -> bool:
    return verdict is None or (again and verdict in UNNOTICED)


def _change_of(one: object) -> tuple[object, ...]:
    return tuple(getattr(one, name) for name in ("module", "occurrence", "way", "before", "after"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
