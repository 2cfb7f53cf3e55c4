"""Rich's console with texts that cannot steer the terminal; a module of its own, since loading rich takes time."""

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from handlers.cli.printable import printable


class PrintableConsole(Console):
    """Texts are looked at where they become segments: rich's own sequences are added later."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """As rich renders it, each text with escapes for what is not printable; the ends of lines stay."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.rstrip("\n").isprintable():
                yield segment
            else:
                lines = "\n".join(printable(line) for line in segment.text.split("\n"))
                yield Segment(lines, segment.style)
