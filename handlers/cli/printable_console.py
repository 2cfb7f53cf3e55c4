"""Rich's console with texts that cannot control the terminal; a separate module, because loading rich takes time."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from handlers.cli.text import printable


class PrintableConsole(Console):
    """Texts are escaped where they become segments: rich adds its own sequences later."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich renders it, each text with escapes for what is not printable; the ends of lines stay."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.rstrip("\n").isprintable():
                yield segment
            else:
                lines = "\n".join(printable(line) for line in segment.text.split("\n"))
                yield Segment(lines, segment.style)
