"""The scenarios of protocol.md's model (those without references), for the real code."""

from dataclasses import replace

from tests.simulation.world import Message, Scenario

K = Message("K", 0, "")
F = Message("F", 0, "")
R = Message("R", 0, "")
P = Message("P", 0, "")
T = Message("T", 0, "")


def listed(value: str) -> Message:
    """A backfill row that saw this value."""
    return Message("I", 0, value)


def undisturbed(scenario: Scenario) -> Scenario:
    """Where no attempt dies."""
    return replace(scenario, duplicates=0, crashes=0, undisturbed=True)


def sent_twice(scenario: Scenario) -> Scenario:
    """Where a proxy sends one of the requests twice."""
    return replace(scenario, name=f"{scenario.name}, sent twice", duplicates=0, doubled=1)


SCENARIOS = {
    scenario.name.split()[0]: scenario
    for scenario in (
        Scenario("S01 create, two crashes", ("A",), duplicates=2, crashes=2),
        Scenario("S02 overwrite", ("A", "B")),
        Scenario("S03 overwrite twice", ("A", "B", "C")),
        Scenario("S04 same content again", ("A", "B", "A")),
        Scenario("S05 other metadata, same bytes", ("A", "A*")),
        Scenario("S06 delete", ("A", "del")),
        Scenario("S07 delete and put again", ("A", "del", "A")),
        Scenario("S08 delete and put other", ("A", "del", "B"), duplicates=0),
        Scenario("S09 no delete events", ("A", "del", "B"), delete_events=False),
        Scenario("S10 stale row", ("A", "B"), jobs=(listed("A"),), duplicates=0),
        Scenario("S11 stale row of a deleted object", ("A", "del"), jobs=(listed("A"),)),
        Scenario("S12 foreign object", ("A", "B"), ("X",), duplicates=0),
        Scenario("S13 foreign object, identical", ("A", "B"), ("A",), duplicates=0),
        Scenario("S14 foreign delete", ("A", "B"), ("del",)),
        Scenario("S15 foreign object, then delete", ("A",), ("X", "del")),
        Scenario("S16 target there before", ("A", "B"), target="X", duplicates=0),
        Scenario("S17 target there before, identical", ("A", "B"), target="A", duplicates=0),
        Scenario("S18 cleanup and overwrite", ("A", "B"), jobs=(K,), duplicates=0),
        Scenario("S19 cleanup and owner's delete", ("A", "del"), jobs=(K,), duplicates=0),
        Scenario("S20 cleanup and the same put again", ("A", "A"), jobs=(K,), crashes=0),
        Scenario("S21 cleanup and foreign object", ("A",), ("X",), (K,)),
        Scenario("S22 cleanup and foreign delete", ("A",), ("del",), (K,)),
        Scenario("S23 rollback and events", ("A", "B"), jobs=(R, P), duplicates=0),
        Scenario("S24 rollback and cleanup", ("A",), jobs=(K, R, P), duplicates=0, crashes=2),
        Scenario("S25 rollback, cleanup, overwrite", ("A", "B"), jobs=(K, R, P), duplicates=0),
        Scenario("S26 rollback and delete", ("A", "del"), jobs=(R, P), duplicates=0),
        Scenario("S27 rollback and foreign object", ("A",), ("X",), (K, R, P), duplicates=0),
        Scenario("S28 three workers", ("A", "B"), workers=3),
        Scenario("S29 in parts", ("A", "B"), in_parts=True),
        Scenario("S30 in parts, same content again", ("A", "B", "A"), in_parts=True, duplicates=0),
        Scenario("S31 versioned cleanup, other metadata", ("A", "A*"), jobs=(K,), versioned=True, duplicates=0),
        Scenario(
            "S32 versioned cleanup, delete", ("A", "B", "del"), jobs=(K,), versioned=True, duplicates=0, crashes=0
        ),
        Scenario("S33 fenced cleanup, other metadata", ("A", "A*"), jobs=(K,), fenced_cleanup=True, duplicates=0),
        Scenario("S34 older than events", ("B",), jobs=(listed("A"),), source="A"),
        Scenario("S35 older than events, stale row", (), jobs=(listed("A"),), source="B", crashes=2),
        Scenario("S38 lost answers", ("A", "B"), duplicates=0, lost_answers=2),
        Scenario("S39 lost answers, cleanup, rollback", ("A",), jobs=(K, R, P), duplicates=0, lost_answers=1),
        Scenario("S40 lost answers and delete", ("A", "del"), duplicates=0, lost_answers=1),
        Scenario("S41 owner's delete and foreign object", ("A", "del"), ("X",), duplicates=0),
        Scenario("S42 rollback, purge, foreign object", ("A",), ("X",), (R, P), duplicates=0),
        Scenario("S43 cleanup and late delete", ("A", "del", "A"), jobs=(K,), duplicates=0),
        Scenario("S44 overwrite, two crashes", ("A", "B"), duplicates=2, crashes=2),
        Scenario(
            "S45 versioned cleanup and rollback", ("A", "B"), jobs=(K, R, P), versioned=True, duplicates=0, crashes=0
        ),
        Scenario(
            "S46 versioned cleanup, same content", ("A", "B", "A"), jobs=(K,), versioned=True, duplicates=0, crashes=0
        ),
        Scenario(
            "S47 in parts, no checksums, lost answer",
            ("A", "B"),
            in_parts=True,
            checksums=False,
            duplicates=0,
            lost_answers=1,
        ),
        Scenario("S48 etags only", ("A", "B", "A"), checksums=False, duplicates=0),
        Scenario("S49 in parts and foreign object", ("A",), ("X",), in_parts=True, duplicates=0),
        Scenario("S50 in parts and delete", ("A", "del"), in_parts=True, duplicates=0),
        # With a crash or a lost answer, or once our copy is there, a stranger's equal bytes cannot be told from it
        # (docs/reliability.md): S3's conditions know bytes only.
        undisturbed(Scenario("S51 equal bytes there before", ("A", "B"), target="A*")),
        undisturbed(Scenario("S52 equal bytes there before, delete", ("A", "del"), target="A*")),
        undisturbed(Scenario("S53 equal bytes there before, purge", ("A",), jobs=(R, P), target="A*")),
        undisturbed(Scenario("S54 equal bytes there before, in parts", ("A", "B"), target="A*", in_parts=True)),
        undisturbed(Scenario("S55 equal bytes while copied in parts", ("A",), ("A*",), in_parts=True)),
        Scenario("S56 take over what was there before", ("A", "B"), jobs=(T,), target="X"),
        Scenario("S57 take over what was deleted", ("A", "B"), ("del",), (T,), duplicates=0),
        Scenario("S58 take over while others write", ("A",), ("X", "del"), (T, T), duplicates=0),
        Scenario("S59 take over and delete", ("A", "del"), jobs=(T,), target="X", duplicates=0),
        Scenario("S60 take over and rollback", ("A",), jobs=(T, R, P), target="X", duplicates=0),
        Scenario("S61 take over in parts", ("A", "B"), jobs=(T,), target="X", in_parts=True, duplicates=0),
        Scenario("S62 take over and cleanup", ("A",), ("X",), (T, K), duplicates=0),
        Scenario("S63 take over, lost answers", ("A",), jobs=(T,), target="X", duplicates=0, lost_answers=1),
        Scenario("S64 take over twice, as others write twice", ("A",), ("Y", "del"), (T, T), target="X", duplicates=0),
        # An operator's word is about an etag too: bytes that come again before the commit are the ones that he gave up.
        undisturbed(Scenario("S65 take over, and the same comes again", ("A", "B"), ("X",), (T,), target="X")),
        sent_twice(Scenario("S66 overwrite", ("A", "B"))),
        sent_twice(Scenario("S67 delete", ("A", "del"))),
        sent_twice(Scenario("S68 overwrite in parts", ("A", "B"), in_parts=True)),
        sent_twice(Scenario("S69 cleanup", ("A",), jobs=(K,), knows_itself=False)),
        sent_twice(Scenario("S70 cleanup and delete", ("A", "del"), jobs=(K,))),
        sent_twice(Scenario("S71 cleanup and rollback", ("A",), jobs=(K, R, P))),
        sent_twice(Scenario("S72 foreign object", ("A", "B"), ("X",))),
        sent_twice(Scenario("S73 foreign delete", ("A", "B"), ("del",))),
        sent_twice(Scenario("S74 versioned overwrite and cleanup", ("A", "B"), jobs=(K,), versioned=True)),
        sent_twice(undisturbed(Scenario("S75 equal bytes there before", ("A", "B"), target="A*"))),
        sent_twice(undisturbed(Scenario("S76 who writes to both places", ("A",), target="A*", target_is_new=True))),
        sent_twice(undisturbed(Scenario("S77 who moves by himself", ("A", "del"), target="A*", target_is_new=True))),
    )
}
