"""A real browser, headless, for one page of ours; nothing leaves the machine."""

import shutil
import struct
import subprocess
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHROMIUM = shutil.which("chromium")
_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--hide-scrollbars"),
    "--allow-file-access-from-files",
)


def run_browser(page: Path, *more: str) -> str:
    """What the browser prints for the page."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(prefix="keyshift-browser-", ignore_cleanup_errors=True) as profile:
        command: Sequence[str] = [CHROMIUM, *_FLAGS, f"--user-data-dir={profile}", *more, page.as_uri()]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)  # noqa: S603  # ours
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def screenshot(page: Path, picture: Path, *, width: int, height: int) -> None:
    """The page as a picture of that size."""
    run_browser(page, f"--screenshot={picture}", f"--window-size={width},{height}", "--force-device-scale-factor=1")


def framed(page: Path, *, width: int, height: int) -> Path:
    """A page that holds ours in a frame of that width: no window is as narrow as a phone."""
    outer = page.with_name(f"{page.stem}-{width}.html")
    style = f"border:0;width:{width}px;height:{height}px"
    outer.write_text(f'<body style="margin:0"><iframe style="{style}" src="{page.name}"></iframe>', encoding="utf-8")
    return outer


def colours_of(picture: Path) -> tuple[int, int, set[bytes]]:
    """Width, height and the colours of a PNG as Chromium writes it (8 bits, RGB or RGBA, not interlaced)."""
    width, height, samples, lines = _lines_of(picture)
    step = samples * 7
    return width, height, {bytes(line[at : at + 3]) for line in lines for at in range(0, len(line), step)}


def cut_to(picture: Path, width: int) -> None:
    """Keep the left ``width`` columns of a PNG."""
    _, height, samples, lines = _lines_of(picture)
    rows = b"".join(b"\0" + line[: width * samples] for line in lines)
    head = struct.pack(">IIBBBBB", width, height, 8, {3: 2, 4: 6}[samples], 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    packed = (
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    picture.write_bytes(SIGNATURE + b"".join(packed))


def size_of(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG."""
    content = picture.read_bytes()
    assert content.startswith(SIGNATURE)
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def _lines_of(picture: Path) -> tuple[int, int, int, list[bytearray]]:
    """Width, height, bytes of a pixel, and each line's pixels."""
    content, (width, height) = picture.read_bytes(), size_of(picture)
    depth, kind = content[24:26]
    assert depth == 8
    samples = {2: 3, 6: 4}[kind]
    packed, at = b"", 8
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        if content[at + 4 : at + 8] == b"IDAT":
            packed += content[at + 8 : at + 8 + length]
        at += length + 12
    return width, height, samples, list(_unfiltered(zlib.decompress(packed), width, height, samples))


def _unfiltered(rows: bytes, width: int, height: int, samples: int) -> Iterator[bytearray]:
    stride, before = width * samples, bytearray(width * samples)
    for row in range(height):
        start = row * (stride + 1)
        kind, line = rows[start], bytearray(rows[start + 1 : start + 1 + stride])
        for at in range(stride):
            left = line[at - samples] if at >= samples else 0
            above, corner = before[at], before[at - samples] if at >= samples else 0
            line[at] = (line[at] + _predicted(kind, left, above, corner)) & 255
        before = line
        yield line


def _predicted(kind: int, left: int, above: int, corner: int) -> int:
    if kind == 4:
        guess = left + above - corner
        return min((left, above, corner), key=lambda one: abs(guess - one))
    return (0, left, above, (left + above) // 2)[kind]
