"""Pins in another region or account: a component is published where its devices are, its artifact may be elsewhere."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from adapters.aws.assumed_roles import assumed
from adapters.aws.clients import AwsClients
from domain.errors import KeyshiftError
from domain.references.pins import HeldUri
from domain.references.ports import UriHolder
from domain.rules.references import PinPlace

_SESSION = "keyshift-pins"


class PinsElsewhere:
    """UriHolder on a service in another place; a place that cannot be searched is an error, which names it."""

    def __init__(self, clients: AwsClients, place: PinPlace, *, make: Callable[[AwsClients], UriHolder]) -> None:
        self._clients = clients
        self._place = place
        self._make = make

    def list_uris(self) -> Iterator[HeldUri]:
        """See the port."""
        try:
            for held in self._make(self._entered()).list_uris():
                yield replace(held, holder=f"{held.holder} ({self._place})")
        except KeyshiftError as error:
            raise type(error)(f"Pins cannot be searched in {self._place}: {error}") from error

    def _entered(self) -> AwsClients:
        region = self._place.region or self._clients.region
        if self._place.role_arn is None:
            return replace(self._clients, region=region)
        external_id = self._place.external_id
        _, clients = assumed(
            self._clients, self._place.role_arn, session=_SESSION, external_id=external_id, region=region
        )
        return clients
