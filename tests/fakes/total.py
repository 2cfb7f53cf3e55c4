"""A total in memory."""

from domain.planning.total import Total, supersedes


class InMemoryTotalBook:
    """TotalBook; ``writes`` counts every call."""

    def __init__(self, total: Total | None = None) -> None:
        self.total = total
        self.writes = 0

    def read_total(self) -> Total | None:
        """See the port."""
        return self.total

    def write_total(self, total: Total) -> None:
        """See the port."""
        self.writes += 1
        if supersedes(total, self.total):
            self.total = total
