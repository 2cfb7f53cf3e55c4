"""``python -m adapters.standin``: the stand-in as a process of its own."""

import argparse
from pathlib import Path

from adapters.standin.limits import Limits
from adapters.standin.server import serve


def main() -> None:
    """Parse the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m adapters.standin", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--ready-file", type=Path, help="gets the endpoint's URL when requests are answered")
    parser.add_argument("--until-stdin-closes", action="store_true", help="stop when the parent goes away")
    parser.add_argument("--copy-bytes", type=int, default=Limits().copy_bytes, help="largest source of a CopyObject")
    parser.add_argument("--part-bytes", type=int, default=Limits().part_bytes, help="smallest part but the last")
    parser.add_argument("--stream-seconds", type=int, default=86_400, help="how long a table's stream keeps a change")
    arguments = parser.parse_args()
    serve(
        port=arguments.port,
        ready_file=arguments.ready_file,
        limits=Limits(copy_bytes=arguments.copy_bytes, part_bytes=arguments.part_bytes),
        until_stdin_closes=arguments.until_stdin_closes,
        stream_seconds=arguments.stream_seconds,
    )


if __name__ == "__main__":
    main()
