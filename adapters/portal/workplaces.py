"""The use cases' accounts, each entered through its role."""

import threading
from collections.abc import Callable
from dataclasses import replace

from adapters.aws.assumed_roles import assumed
from adapters.aws.clients import AwsClients
from domain.portal.ports import Workplace
from domain.portal.records import UseCase
from domain.protocol.ports import Clock

_RENEW_SECONDS = 600
"""Credentials with less than this left are renewed: a long upload must not outlive them."""


class StsWorkplaces:
    """Workplaces through STS AssumeRole with an external id; a session is kept until ten minutes before its end."""

    def __init__(self, clients: AwsClients, *, make: Callable[[AwsClients], Workplace], clock: Clock) -> None:
        self._clients = clients
        self._make = make
        self._clock = clock
        self._open: dict[UseCase, tuple[float, Workplace]] = {}
        self._lock = threading.Lock()

    def open_workplace(self, use_case: UseCase) -> Workplace:
        """See the port."""
        with self._lock:
            ends, workplace = self._open.get(use_case, (0.0, None))
            if workplace is None or ends - self._clock.now() < _RENEW_SECONDS:
                ends, workplace = self._entered(use_case)
                self._open[use_case] = ends, workplace
            return workplace

    def _entered(self, use_case: UseCase) -> tuple[float, Workplace]:
        region = use_case.region or self._clients.region
        if use_case.role_arn is None:
            return float("inf"), self._make(replace(self._clients, region=region))
        session = f"keyshift-{use_case.use_case_id}"[:64]
        ends, clients = assumed(
            self._clients, use_case.role_arn, session=session, external_id=use_case.external_id, region=region
        )
        return ends, self._make(clients)
