"""The learned limits in the control item: a list of maps and a revision."""

from collections.abc import Iterable, Mapping
from typing import Any

from adapters.dynamodb.attributes import number, text
from domain.steering.learned import Learned, LearnedLimit
from domain.steering.places import Place, Service

LEARNED, REVISION = "learned", "learned_revision"


def limits_value(limits: Iterable[LearnedLimit]) -> Any:
    """The limits as the value of an attribute."""
    return {"L": [{"M": _fields_of(limit)} for limit in limits]}


def learned_of_item(item: Mapping[str, Any]) -> Learned:
    """The learned limits of a control item; none at revision 0 where it has no such attribute."""
    found = item.get(LEARNED, {"L": []})["L"]
    revision = int(item.get(REVISION, {"N": "0"})["N"])
    return Learned(revision, tuple(_limit_of(one["M"]) for one in found))


def _fields_of(limit: LearnedLimit) -> dict[str, Any]:
    return {
        "service": text(limit.place.service.value),
        "name": text(limit.place.name),
        "prefix": text(limit.place.prefix),
        "rate": number(limit.rate),
        "peak": number(limit.peak),
        "throttled_at": number(limit.throttled_at),
        "begun_at": number(limit.begun_at),
        "answer": text(limit.answer),
    }


def _limit_of(fields: Mapping[str, Any]) -> LearnedLimit:
    return LearnedLimit(
        Place(Service(fields["service"]["S"]), fields["name"]["S"], fields["prefix"]["S"]),
        rate=float(fields["rate"]["N"]),
        peak=float(fields["peak"]["N"]),
        throttled_at=float(fields["throttled_at"]["N"]),
        begun_at=float(fields["begun_at"]["N"]),
        answer=fields["answer"]["S"],
    )
