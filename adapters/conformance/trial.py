"""What a trial of one fact is, and what its answers mean."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from adapters.aws.errors import error_code, from_client_error
from adapters.aws.repeated_answers import RepeatedAnswerError
from adapters.conformance.bench import Bench, NotOfferedError
from domain.errors import AccessDeniedError, KeyshiftError, RefusedRequestError
from domain.lifecycle.conformance import Fact, Observed, Outcome

_UNKNOWN = frozenset(
    {
        "501",
        "405",
        "NotImplemented",
        "MethodNotAllowed",
        "InvalidAction",
        "UnknownOperationException",
        "UnsupportedOperation",
    }
)
"""How a server says that it has no such request."""


@dataclass(frozen=True, slots=True)
class Holds:
    """The fact holds; ``seen`` is what was measured."""

    seen: str


@dataclass(frozen=True, slots=True)
class Trial:
    """A fact with the requests that try it; without them ``why_not`` says why none can."""

    fact: Fact
    run: Callable[[Bench], str | Holds] | None
    why_not: str = ""

    def observe(self, bench: Bench) -> Observed:
        """Try it; an answer that is exactly what is expected holds, any other is different."""
        if self.run is None:
            return Observed(self.fact, Outcome.NOT_TRIED, self.why_not)
        try:
            seen = self.run(bench)
        except NotOfferedError as error:
            return Observed(self.fact, Outcome.NOT_OFFERED, str(error))
        except ClientError as error:
            return self._after_error(error)
        except RefusedRequestError as error:
            return Observed(self.fact, Outcome.NOT_OFFERED, str(error))
        except KeyError as error:
            return Observed(self.fact, Outcome.DIFFERENT, f"an answer lacks {error.args[0]}")
        except (KeyshiftError, BotoCoreError, RepeatedAnswerError, ResponseParserError) as error:
            return Observed(self.fact, Outcome.COULD_NOT_RUN, " ".join(str(error).split()))
        if isinstance(seen, Holds):
            return Observed(self.fact, Outcome.AS_EXPECTED, seen.seen)
        outcome = Outcome.AS_EXPECTED if seen == self.fact.expected else Outcome.DIFFERENT
        return Observed(self.fact, outcome, seen)

    def _after_error(self, error: ClientError) -> Observed:
        """Of a request that only prepares the trial."""
        operation, status = error.operation_name, status_of(error)
        message = str(error.response.get("Error", {}).get("Message", ""))
        # Another service answers in its own form, such as an S3 gateway to CreateQueue.
        is_of_another = message.startswith("<") and status.startswith("4")
        if is_of_another or error_code(error) in _UNKNOWN:
            return Observed(self.fact, Outcome.NOT_OFFERED, f"{operation}: {status}")
        told = from_client_error(error, operation, "what this run made")
        if isinstance(told, AccessDeniedError):
            return Observed(self.fact, Outcome.COULD_NOT_RUN, str(told))
        return Observed(self.fact, Outcome.DIFFERENT, f"{operation}: {status}")


def trial(
    trials: list[Trial], section: str, name: str, expected: str, *, vital: bool = False
) -> Callable[[Callable[[Bench], str | Holds]], Callable[[Bench], str | Holds]]:
    """Add the decorated function to ``trials``."""

    def add(run: Callable[[Bench], str | Holds]) -> Callable[[Bench], str | Holds]:
        trials.append(Trial(Fact(section, name, expected, vital), run))
        return run

    return add


def answer_to(call: Callable[..., Any], **request: Any) -> str:
    """The status and code of the answer, such as ``200`` or ``412 PreconditionFailed``.

    A 403 is raised: it is about this run's permissions.
    """
    try:
        answer: Any = call(**request)
    except ClientError as error:
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") == HTTPStatus.FORBIDDEN:
            raise
        return status_of(error)
    return str(answer["ResponseMetadata"]["HTTPStatusCode"])


def answer_to_denied(call: Callable[..., Any], **request: Any) -> str:
    """The same for a request that the run's own bucket policy denies: a 403 is an answer, too."""
    try:
        return answer_to(call, **request)
    except ClientError as error:
        return status_of(error)


def status_of(error: ClientError) -> str:
    """``412 PreconditionFailed``; HEAD has no body, so only the status."""
    status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    code = error_code(error)
    return status if code == status else f"{status} {code}".strip()
