"""Who gives a command, for everybody who looks and for the audit."""

import getpass
import socket


def operator_name() -> str:
    """The user and the machine."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container whose user has no name
        return f"operator@{socket.gethostname()}"
