"""Scenarios in which operators and an application act: verify, decide, replay, pause, rewrite, clean up, roll back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.scenarios import SCENARIOS, K, P, R
from tests.simulation.world import Scenario


@dataclass(frozen=True, slots=True)
class Play:
    """A scenario, and what its plan has beside it."""

    scenario: Scenario
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its first word."""
        return self.scenario.name.split()[0]


REFERRED: Mapping[str, Any] = {"items": 1, "edits": 3, "rewrites": True}
MANIFEST: Mapping[str, Any] = {"manifests": 1}
FUNCTIONS: Mapping[str, Any] = {"engine": 1, "by_command": True}
STARTED: Mapping[str, Any] = {"gated": True, "by_command": True}
ACTS = (
    Play(Scenario("A01 verify and overwrite", ("A", "B")), {"verifies": True}),
    Play(Scenario("A02 verify, every event lost", ("A", "A*", "B"), duplicates=0), {"lost_events": 1.0}),
    Play(Scenario("A03 verify and foreign object", ("A",), ("X",)), {"verifies": True}),
    Play(Scenario("A04 cleanup by command", ("A", "B"), jobs=(K,)), {"by_command": True, "verifies": True}),
    Play(
        Scenario("A05 cleanup by command, versions too", ("A", "B"), jobs=(K,), versioned=True),
        {"by_command": True, "forgets": True},
    ),
    Play(Scenario("A06 cleanup by command and foreign delete", ("A",), ("del",), (K,)), {"by_command": True}),
    Play(Scenario("A07 references and overwrite", ("A", "B")), REFERRED),
    Play(Scenario("A08 references and owner's delete", ("A", "del")), REFERRED),
    Play(Scenario("A09 references and foreign delete", ("A",), ("del",)), REFERRED),
    Play(Scenario("A10 references and cleanup", ("A",), jobs=(K,)), {**REFERRED, "by_command": True}),
    Play(Scenario("A11 references and rollback", ("A", "B"), jobs=(R, P)), REFERRED),
    Play(Scenario("A12 references, rollback by command", ("A",), jobs=(K, R, P)), {**REFERRED, "by_command": True}),
    Play(Scenario("A13 dead letters", ("A", "B")), {"buried": 1.0, "garbage": 1}),
    Play(Scenario("A14 dead letters and owner's delete", ("A", "del")), {"buried": 1.0}),
    Play(Scenario("A15 pause and resume", ("A", "B")), {"pauses": 2}),
    Play(Scenario("A16 pause and rollback by command", ("A", "B"), jobs=(R, P)), {"pauses": 1, "by_command": True}),
    Play(Scenario("A17 manifest and overwrite", ("A", "B")), MANIFEST),
    Play(Scenario("A18 manifest and owner's delete", ("A", "del")), MANIFEST),
    Play(Scenario("A19 manifest and foreign object", ("A",), ("X",)), MANIFEST),
    Play(Scenario("A20 manifest and cleanup", ("A", "B"), jobs=(K,)), {**MANIFEST, "by_command": True}),
    Play(
        Scenario("A21 manifest and cleanup, versions too", ("A",), jobs=(K,), versioned=True),
        {**MANIFEST, "by_command": True, "forgets": True},
    ),
    Play(Scenario("A22 manifest and rollback", ("A", "B"), jobs=(R, P)), MANIFEST),
    Play(
        Scenario("A23 manifest, rollback by command", ("A",), jobs=(K, R, P), versioned=True),
        {**MANIFEST, "by_command": True},
    ),
    Play(Scenario("A24 decide over a foreign object", ("A", "B"), ("X",)), {"decides": True}),
    Play(Scenario("A25 decide over a foreign delete", ("A", "B"), ("del",)), {"decides": True}),
    Play(Scenario("A26 decide and delete", ("A", "del"), target="X"), {"decides": True}),
    Play(
        Scenario("A27 decide, cleanup and rollback by command", ("A",), ("X",), (K, R, P)),
        {"decides": True, "by_command": True},
    ),
    Play(Scenario("A28 verify by functions", ("A", "B")), {**FUNCTIONS, "verifies": True}),
    Play(Scenario("A29 cleanup by functions", ("A", "B"), jobs=(K,)), FUNCTIONS),
    Play(Scenario("A30 cleanup, rollback and purge by functions", ("A",), jobs=(K, R, P)), FUNCTIONS),
    Play(Scenario("A31 a cleanup by functions is cancelled", ("A",), jobs=(K,)), {**FUNCTIONS, "cancels": 2}),
    Play(Scenario("A32 start and one backfill", ("A", "B"), source="A"), {**STARTED, "trusts": True}),
    Play(Scenario("A33 start and cut-over", ("A", "B")), STARTED),
)
PLAYS = {play.name: play for play in (*(Play(one) for one in SCENARIOS.values() if not one.undisturbed), *ACTS)}
