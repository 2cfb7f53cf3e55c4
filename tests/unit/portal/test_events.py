"""The forms in which AWS hands the portal its requests and events; the documented bodies are data (tests/events)."""

import json
from base64 import b64encode
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from domain.errors import InputError
from handlers.portal import job_events, training, training_read
from handlers.portal.access import UserRole, identity_of
from handlers.portal.http import respond
from tests.worlds.portal import MANIFEST_KEY, USE_CASE, PortalMemoryWorld

EVENTS = Path(__file__).parents[2] / "events" / "portal"
CLAIMS = {"sub": "ada", "email": "ada@example.org", "custom:role": "PortalAdmin"}


def documented(name: str) -> dict[str, Any]:
    """AWS's own sample."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text(encoding="utf-8"))
    return event


def request_of(form: str, method: str, path: str, body: str | None, *, stage: str = "$default") -> dict[str, Any]:
    """The sample of this form with our request in it."""
    event = documented(form)
    context = event["requestContext"]
    event["body"], context["stage"] = body, stage
    if form == "http_api_v2":
        event["rawPath"] = context["http"]["path"] = path
        context["http"]["method"] = method
        context["authorizer"] = {"jwt": {"claims": dict(CLAIMS), "scopes": None}}
        event["headers"] = {"content-type": "application/json", "idempotency-key": "k"}
        return event
    event["path"], event["httpMethod"] = path, method
    context["path"], context["httpMethod"] = path, method
    context["authorizer"] = {"claims": dict(CLAIMS)}
    event["headers"] = {"Content-Type": "application/json", "Idempotency-Key": "k"}
    return event


FORMS = ("rest_api", "http_api_v1", "http_api_v2")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("is_base64", [False, True])
def test_a_request_is_answered_in_every_form_of_api_gateway(form: str, is_base64: bool) -> None:
    """Method, path, claims, headers and body are found, and the repeat under the same key is one training."""
    world = PortalMemoryWorld()
    world.put(MANIFEST_KEY, b"{}\n")
    body = {"usecase_id": USE_CASE, "model_name": "m", "model_version": "1", "model_type": "classification"}
    text = json.dumps(body | {"dataset_manifest_s3": f"s3://{world.bucket}/{MANIFEST_KEY}"})
    event = request_of(form, "POST", "/api/v1/training", b64encode(text.encode()).decode() if is_base64 else text)
    event["isBase64Encoded"] = is_base64
    answers = [respond(deepcopy(event), world.portal, training.ROUTES) for _ in range(2)]
    assert [one["statusCode"] for one in answers] == [201, 200], answers
    assert _headers(answers[0])["cache-control"] == "no-store"
    training_id = json.loads(answers[0]["body"])["training_id"]
    read = request_of(form, "GET", f"/training/{training_id}", None)
    answer = respond(read, world.portal, training_read.ROUTES)
    assert (answer["statusCode"], json.loads(answer["body"])["training_id"]) == (200, training_id)


def _headers(answer: Mapping[str, Any]) -> dict[str, str]:
    """Of an answer to either kind of API: a REST API takes lists of values, an HTTP API texts."""
    found = {name: ",".join(values) for name, values in (answer.get("multiValueHeaders") or {}).items()}
    found |= answer.get("headers") or {}
    return {name.lower(): value for name, value in found.items()}


@pytest.mark.parametrize(
    ("stage", "path", "status"),
    [
        ("prod", "/prod/training/none", 404),
        ("prod", "/prod/api/v1/training/none", 404),
        ("prod", "/training/none", 404),
        ("train", "/training/none", 404),
        ("$default", "/training/none", 404),
    ],
)
def test_the_stage_before_the_path_of_an_http_api_is_no_part_of_the_route(stage: str, path: str, status: int) -> None:
    """It stands there under API Gateway's own domain, and not under another; a stage may begin like the route."""
    event = request_of("http_api_v2", "GET", path, None, stage=stage)
    answer = respond(event, PortalMemoryWorld().portal, training_read.ROUTES)
    assert answer["statusCode"] == status
    assert "There is no training none" in answer["body"], "the route's own 404"


@pytest.mark.parametrize("form", FORMS)
def test_a_request_without_claims_is_a_401_in_every_form(form: str) -> None:
    """As the samples themselves are, whose authorizer says nothing of a user."""
    event = request_of(form, "GET", "/training/none", None)
    event["requestContext"]["authorizer"] = documented(form)["requestContext"]["authorizer"]
    assert respond(event, PortalMemoryWorld().portal, training_read.ROUTES)["statusCode"] == 401


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"version": "2.0", "rawPath": "/training"},
        {"version": "2.0", "rawPath": "/training", "requestContext": {"http": {}}},
        {"httpMethod": "GET", "path": None},
        {"Records": [{}]},
    ],
)
def test_an_event_of_another_service_is_refused_by_name(event: dict[str, Any]) -> None:
    """A test in the console, or a wrong trigger, is told so; before, it was a KeyError."""
    with pytest.raises(InputError, match="not a request of API Gateway"):
        respond(event, PortalMemoryWorld().portal, training_read.ROUTES)


def test_a_lambda_authorizers_context_is_found_in_both_forms() -> None:
    """An HTTP API puts it below ``lambda``, a REST API beside ``principalId``."""
    given = {"userId": "ada", "role": "Operator"}
    for authorizer in ({"lambda": given}, {"principalId": "x", **given}):
        identity = identity_of({"requestContext": {"authorizer": authorizer}})
        assert (identity.user_id, identity.role) == ("ada", UserRole.OPERATOR)


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"cognito:groups": "cv-viewers", "custom:role": "PortalAdmin"}, UserRole.VIEWER),
        ({"cognito:groups": "[cv-viewers cv-operators]", "custom:role": "PortalAdmin"}, UserRole.OPERATOR),
        ({"cognito:groups": ["cv-viewers"], "custom:groups": "portal-admins"}, UserRole.VIEWER),
        ({"cognito:groups": "portal-admins", "custom:role": "Viewer"}, UserRole.PORTAL_ADMIN),
        ({"cognito:groups": "us-east-1_a_Okta", "custom:role": "DataScientist"}, UserRole.DATA_SCIENTIST),
        ({"custom:role": "DataScientist"}, UserRole.DATA_SCIENTIST),
        ({"custom:groups": "usecase-admins"}, UserRole.USE_CASE_ADMIN),
        ({}, UserRole.VIEWER),
    ],
)
def test_a_pools_group_outranks_what_a_user_may_write(claims: dict[str, Any], role: UserRole) -> None:
    """``custom:`` claims are attributes of the user; they count only where no group gives a role."""
    event = {"requestContext": {"authorizer": {"claims": {"sub": "eve", **claims}}}}
    assert identity_of(event).role is role


def test_the_documented_training_event_changes_its_record() -> None:
    """It names no artifact, so the describe call is asked; its name is not the one in its ARN."""
    world = PortalMemoryWorld()
    event = documented("training_completed")
    name = event["detail"]["TrainingJobName"]
    item = {"training_id": "t", "usecase_id": USE_CASE, "training_job_name": name, "status": "InProgress"}
    world.trainings.create_training({**item, "training_job_arn": event["detail"]["TrainingJobArn"]})
    assert job_events.take_event(event, world.portal)["outcome"] == "noted"
    assert world.item("t")["status"] == "Completed"
    assert job_events.take_event(event | {"account": "999999999999"}, world.portal)["outcome"] == "known", "ARN first"


def test_a_compilation_event_of_the_same_envelope_changes_its_entry() -> None:
    """SageMaker documents no sample; the resources name the job."""
    world = PortalMemoryWorld()
    entry = {"target": "arm64-cpu", "compilation_job_name": "c", "status": "InProgress"}
    world.trainings.create_training({"training_id": "t", "usecase_id": USE_CASE, "compilation_jobs": [entry]})
    event = documented("training_completed")
    event["detail-type"] = job_events.COMPILATION
    event["resources"] = ["arn:aws:sagemaker:us-east-1:123456789012:compilation-job/c"]
    event["detail"] = {"CompilationJobName": "c", "CompilationJobStatus": "FAILED", "FailureReason": "why"}
    assert job_events.take_event(event, world.portal)["outcome"] == "noted"
    assert world.item("t")["compilation_jobs"][0]["status"] == "FAILED"
