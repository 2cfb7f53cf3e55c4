"""Each packaged handler under the client with which Lambda itself runs Python: deadlines, bad events, half batches."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.standin import StandIn
from tests.deployment.artefact import LOCAL_LAYERS, Artefact, package
from tests.deployment.modules import handlers_of_tree
from tests.deployment.runtime_api import RuntimeApi, running_function
from tests.servers import REGION, Server
from tests.worlds.site import Site, lambda_event

HANDLERS = sorted(handlers_of_tree())
NEAR, PASSED = 2.0, -1.0
NONSENSE: tuple[dict[str, Any], ...] = ({}, {"Records": [{}]}, {"Records": "x"})
_TABLES = {f"KEYSHIFT_PORTAL_{name}_TABLE": "absent" for name in ("TRAINING", "MODELS", "USE_CASES", "USER_ROLES")}


@dataclass(frozen=True, slots=True)
class Codes:
    """Both stacks' zips, unpacked."""

    migration: Path
    portal: Path


@pytest.fixture(scope="module")
def codes(own_standin: StandIn, code: Path, tmp_path_factory: pytest.TempPathFactory) -> Codes:
    """What is deployed."""
    built: Artefact = package(own_standin, tmp_path_factory.mktemp("portal"), "--config", "serverless-portal.yml")
    return Codes(code, built.unpack("keyshift-portal", tmp_path_factory.mktemp("portal-code")))


@pytest.fixture
def site(standin: Server, tmp_path: Path) -> Site:
    """A migration on the stand-in, without event source mappings: what a function is given we decide."""
    return Site(standin, tmp_path)


@contextmanager
def function(handler: str, codes: Codes, site: Site, standin: Server, folder: Path) -> Iterator[RuntimeApi]:
    """The handler, with the site's settings."""
    image = folder / "image"
    image.mkdir()
    arrow = ["arrow"] if handler.endswith("/inventory") else []
    more = {"AWS_REGION": REGION, "AWS_ENDPOINT_URL": standin.endpoint_url, **_TABLES}
    with running_function(
        handler,
        code=codes.portal if "/portal/" in handler else codes.migration,
        layers=[LOCAL_LAYERS / name / "python" for name in ("runtime", *arrow)],
        image=image,
        environment={**site.environment(), **standin.keys, **more},
    ) as api:
        yield api


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_refuses_what_no_service_sends_and_works_on(
    handler: str, codes: Codes, site: Site, standin: Server, tmp_path: Path
) -> None:
    """An empty event is an error of ours, or an answer; the process that refused it takes the next one."""
    with function(handler, codes, site, standin, tmp_path) as api:
        for event in NONSENSE:
            answer = api.invoke(event)
            assert answer.error in (None, "InputError", "MalformedMessageError"), answer
            assert answer.error or answer.body, "an empty answer would tell Lambda that all is done"


def _batch(site: Site) -> dict[str, Any]:
    """One message that moves an object and one that cannot be read."""
    site.put("old/a", b"one")
    site.dependencies.events_queue.send_messages(['{"hello": "world"}'])
    found: list[Any] = []
    for _ in range(20):
        received = site.dependencies.events_queue.receive_messages(at_most=10, wait=1)
        found += [one for one in received if "s3:TestEvent" not in one.body]
        if len(found) == 2:
            break
    assert len(found) == 2
    return lambda_event(found)


def _failed(event: dict[str, Any], body: Any) -> set[str]:
    """The bodies of the messages that the answer gives back."""
    told = {one["itemIdentifier"] for one in body["batchItemFailures"]}
    return {one["body"] for one in event["Records"] if one["messageId"] in told}


def test_half_a_batch_is_done_and_half_is_given_back(codes: Codes, site: Site, standin: Server, tmp_path: Path) -> None:
    """Lambda deletes what the answer does not name."""
    event = _batch(site)
    with function("handlers/object_events", codes, site, standin, tmp_path) as api:
        answer = api.invoke(event)
    assert answer.error is None, answer
    assert _failed(event, answer.body) == {'{"hello": "world"}'}
    assert site.read("new/a") == b"one"


@pytest.mark.parametrize("seconds", [NEAR, PASSED])
def test_a_batch_without_time_is_given_back_whole(
    seconds: float, codes: Codes, site: Site, standin: Server, tmp_path: Path
) -> None:
    """The deadline is in a header of the Runtime API; nothing is begun that could not be ended."""
    event = _batch(site)
    with function("handlers/object_events", codes, site, standin, tmp_path) as api:
        answer = api.invoke(event, seconds=seconds)
        assert answer.error is None, answer
        assert _failed(event, answer.body) == {one["body"] for one in event["Records"]}
        assert site.read("new/a") is None
        assert _failed(event, api.invoke(event).body) == {'{"hello": "world"}'}, "with time it is done"
    assert site.read("new/a") == b"one"


def test_a_batch_operations_task_without_time_is_for_a_later_attempt(
    codes: Codes, site: Site, standin: Server, tmp_path: Path
) -> None:
    """S3 repeats a task that failed for now."""
    site.put("old/b", b"two")
    task = {"taskId": "t", "s3Key": "old/b", "s3VersionId": None, "s3Bucket": site.name}
    event = {"invocationSchemaVersion": "2.0", "invocationId": "i", "job": {"id": "j"}, "tasks": [task]}
    with function("handlers/batch_operations", codes, site, standin, tmp_path) as api:
        early, late = api.invoke(event, seconds=PASSED), api.invoke(event)
    assert early.body["results"][0]["resultCode"] == "TemporaryFailure"
    assert late.body["results"][0]["resultCode"] == "Succeeded"
    assert site.read("new/b") == b"two"


def test_a_request_through_either_api_is_answered(codes: Codes, site: Site, standin: Server, tmp_path: Path) -> None:
    """Without claims it is a 401, in the form that the API asked in."""
    sample = Path(__file__).parents[1] / "events" / "portal"
    with function("handlers/portal/training_read", codes, site, standin, tmp_path) as api:
        for name in ("rest_api", "http_api_v1", "http_api_v2"):
            event = json.loads((sample / f"{name}.json").read_text(encoding="utf-8"))
            event["requestContext"].get("http", {})["method"] = "GET"
            event |= {"rawPath" if name == "http_api_v2" else "path": "/training/none"}
            answer = api.invoke(event)
            assert (answer.error, answer.body["statusCode"]) == (None, 401), answer
