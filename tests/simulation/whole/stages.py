"""The stage's entry as one operator's process sees it; each of his steps is judged at the moment of its effect."""

from typing import TYPE_CHECKING

from domain.lifecycle.stages import Stage, StageEntry
from domain.steering.control import Control
from tests.fakes.lifecycle import InMemoryStageBook
from tests.simulation.whole.asking import Asking
from tests.simulation.whole.promises import WINDOW, Facts
from tests.simulation.whole.scheduler import Process

if TYPE_CHECKING:
    from tests.simulation.whole.site import Site


class SimulatedStages(Asking):
    """StageBook; ``judges`` is off for a migration whose objects nobody watches."""

    def __init__(self, process: Process, site: "Site", stages: InMemoryStageBook, *, judges: bool = True) -> None:
        super().__init__(process, site)
        self._stages = stages
        self._judges = judges

    def read_stage(self) -> StageEntry:
        """GetItem."""
        entry: StageEntry = self._ask("read_stage", "", self._stages.read_stage)
        return entry

    def write_stage(self, entry: StageEntry, *, before: StageEntry, control: Control | None = None) -> bool:
        """TransactWriteItems; a postponement counts as the operator asked for it, whatever the entry says."""
        asked, by = self._site.promises.postpones, self._process.name
        wished = [asked[by]] if by in asked else []

        def effect() -> bool:
            known = self._stages.entry
            done = self._stages.write_stage(entry, before=before, control=control)
            if self._judges and self._stages.entry is not known:
                self._stepped(known.stage, self._stages.entry.stage)
                for until in wished:
                    self._site.promises.postponed(until)
            return done

        return bool(self._ask("write_stage", entry.stage.value, effect))

    def _stepped(self, before: Stage, after: Stage) -> None:
        promises = self._site.promises
        if after is before:
            return
        if after is Stage.LIVE:
            promises.went_live(facts_of(self._site))
        elif after is Stage.CUT_OVER:
            promises.cut_over(facts_of(self._site), by=self._process.name)
        elif after is Stage.ROLLING_BACK:
            promises.went_back()


def facts_of(site: "Site") -> Facts:
    """What is so now: the control item, which operators and breakers write, the queues and the bucket's events."""
    dead = [at for queue in (site.events, site.backfill) for at in queue.died_at() if site.scheduler.time - at > WINDOW]
    return Facts(
        is_paused=site.panel.control.paused,
        silent_since=site.wire.silent_since,
        old_rows=site.backfill.count_older(WINDOW),
        old_events=site.events.count_older(WINDOW),
        dead=len(dead),
    )
