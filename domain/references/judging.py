"""How the rules classify a text: a reference to switch, one that cannot be switched and blocks, or irrelevant."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from domain.keys import Location, is_bucket_name
from domain.references.items import HeldUri
from domain.references.uri_hosts import may_name
from domain.references.uris import ObjectUri, UnusableUri, read_uri
from domain.rules.compiled import CompiledRules, MapOutcome
from domain.rules.references import AttributePath
from domain.rules.template_filters import TooManyParsesError
from domain.rules.templates import Template

UNKNOWN = "it speaks of the bucket in a form that cannot be read"
DEEPER = "the declared place has a list or a map where a text is expected: declare the path of the text in it"
SEVERAL = "it holds more than one URI"
FOLDER = "it names a folder, below which objects move"
REMEDY = "correct it by hand, or name it under 'accept' in the rules file"
UNREADABLE = f"the text is not JSON, or nested too deep; declare the place without 'json', {REMEDY}"


_URI_BEGINS = re.compile(r":(?://|::)|%3a%2f%2f", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Legacy:
    """A URI of an object that the rules move; ``also`` are other such objects that readers may take it for."""

    held: HeldUri
    uri: ObjectUri
    source: Location
    target: Location
    also: tuple[Location, ...] = ()


@dataclass(frozen=True, slots=True)
class Stuck:
    """A text that is not rewritten, with the reason; ``holds`` are the sources that it may name.

    A location without a key, or whose key ends in a slash, stands for everything below it.
    """

    reason: str
    holds: tuple[Location, ...] = ()


def judge(held: HeldUri, rules: CompiledRules) -> Legacy | Stuck | None:
    """The legacy object that a text names, or why the text stays; ``None`` where it does not concern the migration."""
    judged = _unreadable(held, rules) if held.is_unreadable else _judge_text(held, rules)
    if held.is_deeper and isinstance(judged, Legacy):
        judged = Stuck(f"{DEEPER}; {REMEDY}", (judged.source, *judged.also))
    return _accepted(judged, held) if isinstance(judged, Stuck) and judged.holds else judged


def judge_line(line: bytes, attributes: Sequence[AttributePath], reason: str, bucket: str) -> Stuck:
    """A line of an augmented manifest that cannot be read.

    It blocks everything if it mentions the bucket, or if it may contain bare keys.
    """
    text = line.replace(b"\0", b"").decode("utf-8", "replace").strip()
    places = [HeldUri((), None, text, attribute) for attribute in attributes]
    if not may_name(text, bucket) and not _bare(places, bucket):
        return Stuck(reason)
    found = Stuck(f"{reason}; {REMEDY}", (Location(bucket, ""),))
    return next((one for one in (_accepted(found, held) for held in places) if not one.holds), found)


def copies_named(held: HeldUri, rules: CompiledRules) -> Iterator[Location]:
    """Places of the new layout that a text may name: a purge of the object there would break the reference."""
    bucket = rules.target_bucket
    uri = read_uri(held.uri, bucket=None if held.is_unreadable else held.attribute.bucket)
    found: Iterable[Location]
    if _names_more(held.uri, bucket):
        found = (Location(bucket, ""),)
    elif isinstance(uri, ObjectUri):
        found = (uri.location, *uri.others)
    else:
        found = _copies_unread(held, uri, bucket)
    if not isinstance(uri, ObjectUri) and _is_accepted(held):
        return
    for place in found:
        inside = place.key.startswith(rules.target_prefix) or rules.target_prefix.startswith(place.key)
        is_legacy = place.bucket == rules.source_bucket and rules.map_key(place.key).outcome is MapOutcome.MOVE
        if place.bucket == bucket and inside and not is_legacy:
            yield place


def _copies_unread(held: HeldUri, uri: UnusableUri | None, bucket: str) -> Iterable[Location]:
    if uri is not None and (uri.bucket is None or _speaks_of(uri, bucket)):
        return [Location(bucket, key) for key in uri.keys] if uri.keys is not None else (Location(bucket, ""),)
    is_open = uri is None or not is_bucket_name(str(uri.bucket))
    bare = held.is_unreadable and _bare([held], bucket)
    return (Location(bucket, ""),) if bare or (is_open and may_name(held.uri, bucket)) else ()


def _judge_text(held: HeldUri, rules: CompiledRules) -> Legacy | Stuck | None:
    bucket = rules.source_bucket
    uri = read_uri(held.uri, bucket=held.attribute.bucket)
    if uri is None:
        return Stuck(f"{UNKNOWN}; {REMEDY}", (Location(bucket, ""),)) if may_name(held.uri, bucket) else None
    anything = (Location(bucket, ""),) if _names_more(held.uri, bucket) else ()
    if isinstance(uri, UnusableUri):
        return Stuck(f"{SEVERAL}; {REMEDY}", anything) if anything else _unusable(uri, rules)
    mapped = rules.map_key(uri.location.key)
    moving = anything or _moving(uri.others, rules)
    if uri.location.bucket == bucket and mapped.target is not None and mapped.outcome is MapOutcome.MOVE:
        return Legacy(held, uri, uri.location, mapped.target, moving)
    if anything:
        return Stuck(f"{SEVERAL}; {REMEDY}", anything)
    if uri.location.bucket != bucket:
        return None
    if mapped.outcome is MapOutcome.KEEP or _is_new(uri.location.key, rules):
        return None
    if not moving and _is_folder(uri.location.key, rules):
        return Stuck(f"{FOLDER}; {REMEDY}", (uri.location,))
    if moving:
        return Stuck(f"{mapped.reason}, but some readers take it for {moving[0].uri}; {REMEDY}", moving)
    return Stuck(str(mapped.reason))


def _unreadable(held: HeldUri, rules: CompiledRules) -> Stuck | None:
    bucket = rules.source_bucket
    if isinstance(read_uri(held.uri), ObjectUri):  # a URI where JSON was declared: it means only its own object
        judged = _judge_text(held, rules)
        return Stuck(UNREADABLE, (judged.source, *judged.also)) if isinstance(judged, Legacy) else judged
    if not may_name(held.uri, bucket) and not _bare([held], bucket):
        return None
    return Stuck(UNREADABLE, (Location(bucket, ""),))


def _bare(places: Iterable[HeldUri], bucket: str) -> bool:
    """Whether the text may contain bare keys of the bucket, which do not name the bucket."""
    return any(held.uri.strip() and held.attribute.bucket == bucket for held in places)


def _unusable(uri: UnusableUri, rules: CompiledRules) -> Stuck | None:
    bucket = rules.source_bucket
    if uri.bucket is not None and not _speaks_of(uri, bucket):
        is_none = not is_bucket_name(uri.bucket) and may_name(uri.text, bucket)
        return Stuck(f"{UNKNOWN}; {REMEDY}", (Location(bucket, ""),)) if is_none else None
    reason = f"{uri.reason}; {REMEDY}"
    if uri.keys is None:
        return Stuck(reason, (Location(bucket, ""),))
    moving = _moving((Location(bucket, key) for key in uri.keys), rules)
    if moving:
        return Stuck(reason, moving)
    if uri.bucket is None or any(_is_expected(key, rules) for key in uri.keys):
        return None
    return Stuck(uri.reason)


def _names_more(text: str, bucket: str) -> bool:
    """Whether the text of one URI contains another URI that mentions the bucket: a list, or a URL with one in it."""
    found = list(islice(_URI_BEGINS.finditer(text), 2))
    return len(found) == 2 and may_name(text[found[1].start() :], bucket)


def _speaks_of(uri: UnusableUri, bucket: str) -> bool:
    """Whether the text in the bucket's place is its name, in any case, or with credentials or a port."""
    return uri.bucket is not None and may_name(uri.bucket, bucket)


def _moving(places: Iterable[Location], rules: CompiledRules) -> tuple[Location, ...]:
    found = [
        place for place in places if rules.map_key(place.key).outcome is MapOutcome.MOVE or _is_folder(place.key, rules)
    ]
    return tuple(dict.fromkeys(found))


def _is_expected(key: str, rules: CompiledRules) -> bool:
    return rules.map_key(key).outcome is MapOutcome.KEEP or _is_new(key, rules)


def _is_new(key: str, rules: CompiledRules) -> bool:
    """Whether a rule writes such keys; to reverse the rules would also find the source, but takes far longer."""
    if rules.source_bucket != rules.target_bucket or not key.startswith(rules.target_prefix):
        return False
    rest = key[len(rules.target_prefix) :]
    try:
        return any(next(branch.target.parses(rest), None) is not None for branch in rules.branches)
    except TooManyParsesError:
        return False


def _is_folder(key: str, rules: CompiledRules) -> bool:
    """Whether keys with this prefix may move, as far as the beginnings of the rules' templates show."""
    if not key.endswith("/") or rules.map_key(key).outcome in (MapOutcome.MOVE, MapOutcome.KEEP):
        return False
    within = rules.source_bucket == rules.target_bucket
    known = [rules.source_prefix + _beginning(one) for one in rules.keep if _beginning(one)]
    known += [rules.target_prefix + _beginning(one.target) for one in rules.branches if within]
    if any(one and key.startswith(one) for one in known):
        return False
    sources = [rules.source_prefix + _beginning(branch.source) for branch in rules.branches]
    return any(key.startswith(source) or source.startswith(key) for source in sources)


def _beginning(template: Template) -> str:
    first = template.pieces[0] if template.pieces else ""
    return first if isinstance(first, str) else ""


def _accepted(found: Stuck, held: HeldUri) -> Stuck:
    """The same text without blocked objects, where the rules file says that such a text is not a reference."""
    for one in held.attribute.accept:
        if one.takes(held.uri):
            return Stuck(f"accepted in the rules file: {one.why}")
    return found


def _is_accepted(held: HeldUri) -> bool:
    return any(one.takes(held.uri) for one in held.attribute.accept)
