"""``python -m handlers.cli``: the command line without its installed script."""

from handlers.cli import main

main()
