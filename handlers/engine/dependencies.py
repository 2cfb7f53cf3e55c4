"""The dependencies of every handler: the ports, the rules, and the observer."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from domain.audit.events import AuditEvent
from domain.audit.ports import EventBus
from domain.audit.sharding import ChainsWriter
from domain.lifecycle.ports import ProbeBook, StageBook
from domain.lifecycle.stages import Stage, StageEntry, feeding_fault, moving_fault, rules_fault
from domain.protocol.attempt import MigrationPolicy, MigrationPorts
from domain.protocol.ports import RecordBatches
from domain.protocol.record import Record
from domain.queues import MessageQueue
from domain.reporting.ports import ProgressCounters
from domain.rules.compiled import CompiledRules
from domain.steering.control import Control
from domain.steering.ports import ControlPanel
from handlers.config.settings import Settings
from handlers.engine.circuit_breaker import Breaker
from handlers.engine.concurrency import Pace
from handlers.engine.learned_gate import LearnedGate
from handlers.engine.observability import Observer
from handlers.engine.rate_gate import ObjectGate

ItemEvent = Callable[[str, Mapping[str, Any] | None, Mapping[str, Any] | None, str], AuditEvent | None]
"""Makes the audit event of an item that is not a record, from its id, its old and new image, and the migration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """The dependencies of every command and handler; ``wire_command`` makes them, and tests make them of fakes."""

    settings: Settings
    rules: CompiledRules
    policy: MigrationPolicy
    ports: MigrationPorts
    backfill_queue: MessageQueue
    progress: ProgressCounters
    control: "CachedControl"
    probes: ProbeBook
    new_token: Callable[[], str]
    observer: Observer
    learned: LearnedGate
    sleep: Callable[[float], None] = time.sleep
    objects_at_once: Callable[[int], Executor] = ThreadPoolExecutor
    """Makes the pool that works on that many objects of a batch in parallel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineDependencies(Dependencies):
    """The additional dependencies of handlers that move objects and report changes; ``bootstrap`` makes them."""

    events_queue: MessageQueue
    batches: RecordBatches
    bus: EventBus
    record_of_item: Callable[[Mapping[str, Any]], Record | None]
    event_of_item: ItemEvent
    chains: ChainsWriter | None
    pace: Pace
    pool: Executor
    """The threads that work on the objects of every batch of this process."""
    gate: ObjectGate
    breaker: Breaker


BY_STAGE = "the stage"


class CachedControl:
    """The control item and the stage, read again after a few seconds; without ``stages`` the migration is live.

    ``rules_digest`` names the rules of this deployment. Rules other than those proven at the start move nothing.
    """

    def __init__(
        self,
        panel: ControlPanel,
        *,
        seconds: float,
        monotonic: Callable[[], float],
        stages: StageBook | None = None,
        rules_digest: str = "",
    ) -> None:
        self._panel = panel
        self._stages = stages
        self._rules_digest = rules_digest
        self._seconds = seconds
        self._monotonic = monotonic
        self._read_at: float | None = None
        self._effective = Control()
        self._entry = StageEntry(stage=Stage.LIVE)

    def current(self) -> Control:
        """The control in force, at most that many seconds old; a stage at which no object moves counts as a pause."""
        now = self._monotonic()
        if self._read_at is None or now - self._read_at >= self._seconds:
            return self.refresh()
        return self._effective

    def refresh(self) -> Control:
        """The control in force, read now."""
        self.operators_control()
        return self._effective

    def operators_control(self) -> Control:
        """The control that the operator (or the breaker) set, whatever the stage is."""
        control = self._panel.read_control()
        if self._stages is not None:
            self._entry = self._stages.read_stage()
        self._effective = self._with_stage(control)
        self._read_at = self._monotonic()
        return control

    def stage(self) -> Stage:
        """The stage, at most that many seconds old."""
        self.current()
        return self._entry.stage

    def feeding_fault(self) -> str | None:
        """Why nothing may be enqueued, at most that many seconds old; ``None``: rows may be enqueued."""
        return feeding_fault(self.stage()) or rules_fault(self._entry, self._rules_digest)

    def _with_stage(self, control: Control) -> Control:
        why = moving_fault(self._entry, self._rules_digest)
        if why is None or control.paused:
            return control
        return replace(control, paused=True, reason=why, paused_by=BY_STAGE)
