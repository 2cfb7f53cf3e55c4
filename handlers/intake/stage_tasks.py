"""The message by which a command asks a function, or a worker, to do its part of a run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from domain.errors import MalformedMessageError
from domain.runs.works import Work

KIND, VERSION = "stage-work", 1


@dataclass(frozen=True, slots=True)
class StageTask:
    """The function or worker that receives it works on slices of the run that are left, as long as it has time.

    ``part`` tells the messages of one run apart. ``lost_slice`` is the number of a slice that failed too often: its
    message lies in the dead-letter queue with the ``cursor`` and ``why``, and when it is sent back the slice is tried
    again.
    """

    migration: str
    work: Work
    run_id: str
    part: int = 0
    lost_slice: int | None = None
    cursor: str = ""
    why: str = ""


def encode_stage_task(task: StageTask) -> str:
    """The body of its message."""
    body: dict[str, Any] = {"v": VERSION, "kind": KIND, "migration": task.migration, "work": task.work.value}
    body |= {"run": task.run_id, "part": task.part}
    if task.lost_slice is not None:
        body |= {"slice": task.lost_slice, "cursor": task.cursor, "why": task.why}
    return json.dumps(body)


def stage_task_of(body: str) -> StageTask | None:
    """The task, or ``None`` for a message of another kind; MalformedMessageError for one that cannot be read."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:  # nested too deep for a parser: it must fail alone in its batch
        raise MalformedMessageError(f"the message is not JSON: {error}") from error
    if not isinstance(content, dict) or content.get("kind") != KIND:
        return None
    if content.get("v") != VERSION:
        raise MalformedMessageError(f"stage work of version {content.get('v')!r}: this keyshift knows {VERSION}")
    texts = {name: _text(content, name) for name in ("migration", "work", "run")}
    try:
        work = Work(texts["work"])
    except ValueError as error:
        raise MalformedMessageError(f"{texts['work']!r} is not a valid work of a run") from error
    part, lost = content.get("part", 0), content.get("slice")
    if type(part) is not int or type(lost) not in (int, type(None)):
        raise MalformedMessageError("stage work needs whole numbers as 'part' and 'slice'")
    cursor, why = (_text(content, name) if lost is not None else "" for name in ("cursor", "why"))
    return StageTask(texts["migration"], work, texts["run"], part, lost, cursor, why)


def _text(content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str):
        raise MalformedMessageError(f"stage work needs the text {name!r}")
    return value
