"""What S3 tells of puts, copies and deletes, and what a bus does with entries (aws-facts.md §1, §6)."""

import json
from functools import partial
from typing import Any

from adapters.conformance.bench import Bench, wait_until
from adapters.conformance.event_bench import (
    KEY,
    Heard,
    Told,
    directly,
    new_queue,
    receive,
    remove_rule,
    through_eventbridge,
)
from adapters.conformance.trial import Holds, Trial, trial
from adapters.s3.notifications import route_events

TRIALS: list[Trial] = []
CREATED = ("ObjectCreated:Put", "ObjectCreated:Copy", "ObjectCreated:CompleteMultipartUpload")
REMOVED = "ObjectRemoved:Delete"
ASCENDING = "they ascend, or their lengths differ"
_DELAY = "seconds; sometimes a minute or longer"


def _order(told: list[Told], *, least: int) -> str | Holds:
    """Of the sequencers, in the order of the requests; of two texts of different length keyshift orders nothing."""
    texts = [one.sequencer for one in told]
    if len(texts) < least or not all(texts):
        return f"{sum(map(bool, texts))} of {least} events with a sequencer"
    if len({len(text) for text in texts}) > 1:
        return Holds(f"lengths {', '.join(str(len(text)) for text in texts)}")
    numbers = [int(text, 16) for text in texts]
    return Holds("they ascend") if numbers == sorted(set(numbers)) else "they do not ascend"


def _by_size(heard: Heard, name: str) -> list[Told]:
    """The two puts, in the order of the requests: the second object is larger."""
    return sorted(heard.named(name), key=lambda one: int(one.subject.get("size", 0)))


@trial(TRIALS, "1.1", "s3:TestEvent arrives when notifications are configured", "it arrives")
def _test_event(bench: Bench) -> str:
    return "it arrives" if directly(bench).has_test_event else "it does not arrive"


@trial(TRIALS, "1.1", "Event of a PutObject, directly", "etag, size, sequencer", vital=True)
def _event_of_put(bench: Bench) -> str:
    told = _by_size(directly(bench), "ObjectCreated:Put")
    subject: Any = told[0].subject if told else {}
    names = {"eTag": "etag", "size": "size", "sequencer": "sequencer"}
    return ", ".join(text for name, text in names.items() if name in subject) or "none of them"


@trial(TRIALS, "1.1", "Key in a direct event", "encoded as a form", vital=True)
def _key_directly(bench: Bench) -> str:
    keys = {one.key[one.key.find("told") :] for one in directly(bench).events}
    return "encoded as a form" if keys == {"told/a+b%2Bc"} else ", ".join(sorted(keys))


@trial(TRIALS, "1.3", "Sequencers of two puts, directly", ASCENDING, vital=True)
def _sequencers_of_puts(bench: Bench) -> str | Holds:
    return _order(_by_size(directly(bench), "ObjectCreated:Put"), least=2)


@trial(TRIALS, "1.3", "Sequencers of two puts and the delete after them, directly", ASCENDING, vital=True)
def _sequencer_of_delete(bench: Bench) -> str | Holds:
    heard = directly(bench)
    return _order([*_by_size(heard, "ObjectCreated:Put"), *heard.named(REMOVED)], least=3)


@trial(TRIALS, "1.4", "Types of the events of a put, a copy and a multipart copy", ", ".join(CREATED))
def _types(bench: Bench) -> str:
    names = {one.name for one in directly(bench).events}
    return ", ".join(one for one in CREATED if one in names) or "none of them"


@trial(TRIALS, "1.4", "Event of changed tags", "ObjectTagging:Put, without a sequencer")
def _tagging(bench: Bench) -> str:
    told = directly(bench).named("ObjectTagging:Put")
    if not told:
        return "it does not arrive"
    return f"ObjectTagging:Put, {'with' if told[0].sequencer else 'without'} a sequencer"


@trial(TRIALS, "1.2", "Event of a PutObject, through EventBridge", "etag, size, sequencer", vital=True)
def _event_through_bus(bench: Bench) -> str:
    told = through_eventbridge(bench).named("Object Created")
    subject: Any = told[0].subject if told else {}
    return ", ".join(name for name in ("etag", "size", "sequencer") if name in subject) or "none of them"


@trial(TRIALS, "1.2", "Key in an event of EventBridge", "not encoded", vital=True)
def _key_through_bus(bench: Bench) -> str:
    keys = {one.key[one.key.find("told") :] for one in through_eventbridge(bench).events}
    return "not encoded" if keys == {KEY} else ", ".join(sorted(keys))


@trial(TRIALS, "1.3", "Sequencers of puts and the delete after them, through EventBridge", ASCENDING, vital=True)
def _order_through_bus(bench: Bench) -> str | Holds:
    heard = through_eventbridge(bench)
    puts = [one for one in _by_size(heard, "Object Created") if one.record["detail"].get("reason") == "PutObject"]
    return _order([*puts, *heard.named("Object Deleted")], least=3)


@trial(TRIALS, "1.3", "From a PutObject to its event, directly", _DELAY)
def _delay_directly(bench: Bench) -> Holds:
    return Holds(f"{directly(bench).delay:.1f} s")


@trial(TRIALS, "1.3", "From a PutObject to its event, through EventBridge", _DELAY)
def _delay_through_bus(bench: Bench) -> Holds:
    return Holds(f"{through_eventbridge(bench).delay:.1f} s")


@trial(TRIALS, "6", "PutEvents, one of two entries is malformed", "200, that entry fails", vital=True)
def _malformed_entry(bench: Bench) -> str:
    good = {"Source": "keyshift", "DetailType": "conformance", "Detail": "{}", "EventBusName": _bus(bench)}
    entries: Any = [good | {"Detail": "{"}, good]
    answer = bench.clients.events.put_events(Entries=entries)
    failed = ["ErrorCode" in one for one in answer["Entries"]]
    return "200, that entry fails" if failed == [True, False] else f"failed: {failed}"


@trial(TRIALS, "6", "An entry of an own bus arrives through a rule", "it arrives", vital=True)
def _routed_entry(bench: Bench) -> str:
    bus, rule, queue = _bus(bench), f"{bench.name}-own", new_queue(bench, "own")
    removal = f"rule {rule} of bus {bus}: aws events remove-targets --rule {rule} --event-bus-name {bus} --ids queue; "
    named = f"{removal}aws events delete-rule --name {rule} --event-bus-name {bus}"
    with bench.making(named, partial(remove_rule, bench, rule, bus)):
        route_events(bench.clients, rule, {"source": ["keyshift"]}, queue, bus=bus)

    def has_arrived() -> bool:
        entry: Any = {"Source": "keyshift", "DetailType": "conformance", "Detail": json.dumps({}), "EventBusName": bus}
        bench.clients.events.put_events(Entries=[entry])
        return any(body.get("detail-type") == "conformance" for body in receive(bench, queue))

    return "it arrives" if wait_until(has_arrived, seconds=bench.options.wait) else "it does not arrive"


def _bus(bench: Bench) -> str:
    name, events = bench.name, bench.clients.events

    def make() -> str:
        remove = partial(_delete_bus, events, name)
        with bench.making(f"bus {name}: aws events delete-event-bus --name {name}", remove):
            events.create_event_bus(Name=name)
        return name

    return bench.once("bus", make)


def _delete_bus(events: Any, name: str) -> None:
    events.delete_event_bus(Name=name)
