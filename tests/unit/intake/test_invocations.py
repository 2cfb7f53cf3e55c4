"""Functions that are invoked with something else than their event: refused by name, and nothing is acknowledged."""

from collections.abc import Callable
from typing import Any, cast

import pytest

from domain.errors import InputError, MalformedMessageError
from handlers import reference_events, resolver
from handlers.engine import outbox
from handlers.engine.batch import messages_of
from handlers.intake.inventory_tasks import task_of
from handlers.intake.invocations import seconds_left_of
from handlers.operations.references import References
from handlers.operations.resolve import Resolver
from tests.worlds.handlers import bench

STRANGE: dict[str, Any] = {
    "nothing": None,
    "empty": {},
    "list": [],
    "text": "Records",
    "no list": {"Records": None},
    "texts": {"Records": "abc"},
    "no record": {"Records": [None]},
    "bare record": {"Records": [{}]},
    "detail of nothing": {"detail": None},
    "request": {"httpMethod": "POST", "body": "{}"},
}
FUNCTIONS: dict[str, Callable[[Any], object]] = {
    "SQS": messages_of,
    "a DynamoDB stream:": lambda event: outbox.respond(event, bench().dependencies),
    "nor of the audit bus": lambda event: reference_events.respond(event, cast("References", None)),
    '{"uris": ': lambda event: resolver.respond(event, cast("Resolver", None)),
}


@pytest.mark.parametrize("event", STRANGE.values(), ids=list(STRANGE))
@pytest.mark.parametrize("source", FUNCTIONS)
def test_an_event_of_another_shape_is_refused_by_name(source: str, event: Any) -> None:
    """InputError says what the function is for; Lambda counts the invocation as failed and delivers again."""
    with pytest.raises(InputError) as raised:
        FUNCTIONS[source](event)
    assert source in str(raised.value)


def test_a_body_that_is_nested_too_deep_fails_alone() -> None:
    """An inventory's queue may hold anything: such a body is malformed, and no crash of its whole batch."""
    with pytest.raises(MalformedMessageError, match="not JSON"):
        task_of("[" * 100_000)


def test_an_invocation_keeps_time_for_its_answer() -> None:
    """Ten seconds before Lambda's end nothing new is begun."""

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            """As Lambda's context."""
            return 30_000

    assert seconds_left_of(Context())() == 20.0
