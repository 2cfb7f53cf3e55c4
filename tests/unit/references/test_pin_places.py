"""Where pins are asked: our account and region, and every place that the rules file names; silence holds everything."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from adapters.aws.clients import AwsClients
from adapters.pins.elsewhere import PinsElsewhere
from adapters.pins.greengrass import GreengrassComponents
from domain.errors import KeyshiftError, RulesError
from domain.references.pins import HeldUri
from domain.references.ports import UriHolder
from domain.rules.references import PinPlace
from handlers.bootstrap.process import Process
from handlers.bootstrap.references import pins_of
from handlers.config.rules_file import read_rules
from handlers.config.settings import Settings
from tests.fakes.clock import FakeClock
from tests.fakes.pinned_greengrass import running_pinned_greengrass
from tests.servers import REGION
from tests.worlds.sts import answering_posts, credentials_of_role

ROLE = "arn:aws:iam::222222222222:role/keyshift-pins"
HEAD = (
    "version: 1\nmigration: m\nsource: {bucket: src-bucket}\ntarget: {bucket: dst-bucket}\n"
    "rules: [{name: move, from: 'old/{n...}', to: 'new/{n...}'}]\n"
)


@contextmanager
def clients() -> Iterator[AwsClients]:
    """Clients of a Greengrass with pins and of an STS that lets us in."""
    with (
        running_pinned_greengrass() as url,
        answering_posts(200, credentials_of_role(3_600, FakeClock()), "text/xml") as (sts, _),
    ):
        yield AwsClients(
            endpoint_url="http://127.0.0.1:9",
            region=REGION,
            access_key_id="ours",
            secret_access_key="ours",
            read_attempts=1,
            endpoints=(("greengrassv2", url), ("sts", sts)),
        )


class Noted:
    """Makes holders, and remembers with which clients."""

    def __init__(self) -> None:
        self.made: list[AwsClients] = []

    def __call__(self, entered: AwsClients) -> UriHolder:
        """One more."""
        self.made.append(entered)
        return GreengrassComponents(entered)


@pytest.mark.parametrize(
    ("place", "region", "key"),
    [
        (PinPlace(region="eu-west-1"), "eu-west-1", "ours"),
        (PinPlace(role_arn=ROLE, external_id="x1"), REGION, "theirs"),
        (PinPlace("eu-west-1", ROLE, "x1"), "eu-west-1", "theirs"),
    ],
)
def test_a_place_is_asked_in_its_region_and_under_its_role(place: PinPlace, region: str, key: str) -> None:
    """Its pins say where they are, so that the remedy can be carried out there."""
    make = Noted()
    with clients() as ours:
        held = list(PinsElsewhere(ours, place, make=make).list_uris())
    assert [one.uri for one in held] == ["s3://line-1/old//a.zip", "s3://other/b.zip"]
    assert all(str(place) in one.holder for one in held)
    assert [(one.region, one.access_key_id) for one in make.made] == [(region, key)]


class _Silent:
    def list_uris(self) -> Iterator[HeldUri]:
        """No answer after the first one."""
        yield HeldUri("h", "s3://src-bucket/old/a", "again")
        raise KeyshiftError("ListComponents on Greengrass: no answer")


def test_a_place_that_cannot_be_asked_holds_everything() -> None:
    """The look fails with the place's name, also in the middle: cleanup deletes nothing on half an answer."""
    with clients() as ours:
        elsewhere = PinsElsewhere(ours, PinPlace(region="eu-west-1"), make=lambda _: _Silent())
        with pytest.raises(KeyshiftError, match=r"this account, eu-west-1: ListComponents"):
            list(elsewhere.list_uris())
    denied = "<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error>"
    with answering_posts(403, f"<ErrorResponse>{denied}</ErrorResponse>", "text/xml") as (sts, _):
        ours = AwsClients(region=REGION, access_key_id="o", secret_access_key="o", endpoints=(("sts", sts),))
        with pytest.raises(KeyshiftError, match="the account of arn:aws:iam::222222222222:role/keyshift-pins"):
            list(PinsElsewhere(ours, PinPlace(role_arn=ROLE), make=GreengrassComponents).list_uris())


def test_every_place_of_the_rules_file_is_asked() -> None:
    """Each service, here and there."""
    places = f"pin_places: [{{region: eu-west-1}}, {{role_arn: '{ROLE}', external_id: x1, region: us-east-1}}]\n"
    rules = read_rules(HEAD + "pins: [greengrass, sagemaker]\n" + places)
    assert rules.pin_places == (PinPlace("eu-west-1"), PinPlace("us-east-1", ROLE, "x1"))
    ours = AwsClients(region=REGION, access_key_id="o", secret_access_key="o")
    settings = Settings(rules_file="rules.yaml", table="t", region=REGION)
    assert len(pins_of(Process(settings, rules=rules, clients=ours)).holders) == 2 + 2 * 2
    without = read_rules(HEAD + "pins: [greengrass, sagemaker]\n")
    assert len(pins_of(Process(settings, rules=without, clients=ours)).holders) == 2
    assert rules.digest == without.digest, "where pins are asked changes no key"


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("pin_places: [{region: eu-west-1}]", "list the services under 'pins'"),
        ("pins: [greengrass]\npin_places: [{}]", "another region, another account's role_arn"),
        ("pins: [greengrass]\npin_places: [{region: eu-west-1, external_id: x1}]", "belongs to a role_arn"),
        ("pins: [greengrass]\npin_places: [{region: everywhere}]", "everywhere"),
        ("pins: [greengrass]\npin_places: [{role_arn: keyshift-pins}]", "keyshift-pins"),
        ("pins: [greengrass]\npin_places: [{account: '222222222222'}]", "'account' is not known here"),
    ],
)
def test_a_place_that_makes_no_sense_is_a_mistake_in_the_file(written: str, says: str) -> None:
    """With its line, before anything is asked."""
    with pytest.raises(RulesError, match=says):
        read_rules(HEAD + written + "\n")


def test_the_words_of_a_place() -> None:
    """As ``keyshift pins`` and a failed look say it."""
    found: list[Any] = [PinPlace("eu-west-1"), PinPlace(None, ROLE), PinPlace("eu-west-1", ROLE)]
    assert [str(one) for one in found] == [
        "this account, eu-west-1",
        f"the account of {ROLE}, this region",
        f"the account of {ROLE}, eu-west-1",
    ]
