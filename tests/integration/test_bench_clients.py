"""Each client of the comparison that needs no other program copies every object; how long it takes does not matter."""

from collections.abc import Iterator

import pytest

from bench.clients import Client
from bench.peers import peer_clients
from bench.processes import ClientFailedError, Spent, run_to_end
from bench.site import Site, prepared_site
from bench.workers import worker_clients

pytestmark = pytest.mark.slow("starts each client of the comparison")

OBJECTS = 30
ELSEWHERE = ("s5cmd", "rclone", "aws")
"""Programs that need not be here."""
CLIENTS = [one for one in (*peer_clients()[0], *worker_clients()) if one.name not in ELSEWHERE]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """A stand-in of its own."""
    with prepared_site() as made:
        yield made


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_every_object_has_its_copy(site: Site, client: Client) -> None:
    """And no other object is there; the process's CPU is counted."""
    sources = site.put_sources("few", OBJECTS)
    spent = client.run(site, sources, "models/copies/")
    assert spent.cpu > 0
    site.check_targets(sources, "models/copies/")
    assert site.list_keys("models/") == []


def test_a_run_that_copies_less_does_not_count(site: Site) -> None:
    """A client cannot be quick by leaving objects out."""
    sources = site.put_sources("few", OBJECTS)
    with pytest.raises(RuntimeError, match=f"0 of {OBJECTS} objects have a copy"):
        site.check_targets(sources, "models/none/")


def test_a_client_that_fails_is_told_with_its_last_words(site: Site) -> None:
    """Its figures would say nothing."""
    empty = site.folder / "empty"
    empty.write_text("")

    def run() -> Spent:
        return run_to_end(["sh", "-c", "echo no bucket >&2; exit 3"], {}, site.folder / "log", stdin=empty)

    with pytest.raises(ClientFailedError, match="ended with 3: no bucket"):
        run()
