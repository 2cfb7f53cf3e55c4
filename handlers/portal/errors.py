"""What an HTTP caller is told when it cannot be as asked."""

from typing import Any


class HttpError(Exception):
    """An answer that is not a success; ``field`` names the input that is wrong, ``more`` goes into the body."""

    def __init__(self, status: int, error: str, *, field: str | None = None, **more: Any) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.field = field
        self.more = more

    def body(self) -> dict[str, Any]:
        """The answer's body."""
        field = {"field": self.field} if self.field is not None else {}
        return {"error": self.error, **field, **self.more}
