"""The name of the person who gives a command, for the other operators and for the audit."""

import getpass
import socket


def operator_name() -> str:
    """The user and the machine."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container whose user has no name
        return f"operator@{socket.gethostname()}"
