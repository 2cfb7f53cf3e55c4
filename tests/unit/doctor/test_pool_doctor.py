"""Doctor says which app client of the portal's user pool lets a user write his own role."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from domain.lifecycle.inspection import AppClient
from handlers.cli.pool_doctor import examine_user_pool
from handlers.portal.access import CUSTOM_CLAIMS

BOTH = frozenset({"email", "custom:role", "custom:groups"})


@dataclass(frozen=True)
class FakeUserPool:
    """A pool that knows the given attributes."""

    clients: tuple[AppClient, ...] = ()
    attributes: frozenset[str] = BOTH
    pool_id: str = "eu-west-1_pool"

    def list_attributes(self) -> frozenset[str]:
        """What the pool's users can have."""
        return self.attributes

    def list_app_clients(self) -> Iterator[AppClient]:
        """Every client."""
        yield from self.clients


@pytest.mark.parametrize("claim", CUSTOM_CLAIMS)
def test_a_client_that_lets_a_user_write_his_role_is_a_fault(claim: str) -> None:
    """The finding names the client, the attribute and what a user becomes by it."""
    pool = FakeUserPool((AppClient("1abc", "web", ("email", claim)), AppClient("2abc", "cli", ("email",))))
    wrong, fine = examine_user_pool(pool)
    assert (wrong.level, wrong.part) == ("fail", "user pool")
    assert "client web (1abc)" in wrong.text
    assert claim in wrong.text
    assert "PortalAdmin" in wrong.text
    assert (fine.level, "client cli (2abc)" in fine.text) == ("ok", True)


def test_a_client_that_names_no_attributes_cannot_be_known() -> None:
    """AWS documents standard attributes for it; others saw custom ones written by such clients."""
    (found,) = examine_user_pool(FakeUserPool((AppClient("1abc", "web", ()),)))
    assert found.level == "fail"
    assert "list its WriteAttributes" in found.text


def test_an_attribute_that_the_pool_does_not_have_is_written_by_nobody() -> None:
    """Only the pool's own attributes can become claims."""
    writer = AppClient("1abc", "web", ())
    (found,) = examine_user_pool(FakeUserPool((writer,), attributes=frozenset({"email"})))
    assert found.level == "ok"
    only_groups = FakeUserPool((writer,), attributes=frozenset({"email", "custom:groups"}))
    assert [(one.level, "custom:role" in one.text) for one in examine_user_pool(only_groups)] == [("fail", False)]


def test_a_pool_without_clients_says_so() -> None:
    """Nobody signs in there; that is no silence."""
    (found,) = examine_user_pool(FakeUserPool())
    assert (found.level, "no app client" in found.text) == ("ok", True)
