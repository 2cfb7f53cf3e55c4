"""A backfill's progress in memory."""

from collections.abc import Sequence

from domain.planning.total import FileProgress


class InMemoryBackfillJournal:
    """BackfillJournal; ``stored`` has what is known of each file."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], FileProgress] = {}

    def read_progress(self, files: Sequence[tuple[str, str]]) -> list[FileProgress]:
        """See the port."""
        return [self.stored.get(file, FileProgress()) for file in files]

    def write_progress(self, content_id: str, file_key: str, progress: FileProgress) -> None:
        """See the port."""
        stored = self.stored.get((content_id, file_key))
        if stored is None or (stored.rows, stored.is_read) < (progress.rows, progress.is_read):
            self.stored[content_id, file_key] = progress

    def forget_progress(self, content_id: str, file_key: str) -> None:
        """See the port."""
        self.stored[content_id, file_key] = FileProgress()
