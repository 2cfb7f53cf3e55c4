"""RecordBatches of which nothing is ever known: every write is asked for alone."""

from collections.abc import Sequence

from domain.protocol.claims import ClaimRequest
from domain.protocol.ports import ClaimAnswer, RecordChange


class UnansweredBatches:
    """No answer for many says anything."""

    def claim_new_records(self, requests: Sequence[ClaimRequest]) -> list[ClaimAnswer | None]:
        """See the port."""
        return [None for _ in requests]

    def write_records(self, changes: Sequence[RecordChange]) -> list[bool | None]:
        """See the port."""
        return [None for _ in changes]
