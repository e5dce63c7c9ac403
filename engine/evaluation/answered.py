"""Ask a training loop that answers about its own network (`Answering` is the other end); imports no torch."""

import contextlib
import json
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any

from prunescope.engine.evaluation.answering import FILE, HELLO
from prunescope.engine.store import StoreError, files

# A busy machine takes its time to say hello.
CONNECT_SECONDS = 3.0
# The last word of a process that went away.
GONE = "The training that answered for this run has ended. Ask again."


def answerer(folder: Path) -> tuple[socket.socket, str] | None:
    """A connection to the process that answers for a run, and its token; None if there is none."""
    connection = None
    try:
        told = json.loads(files.read_small(folder / FILE))
        port, token = int(told["port"]), str(told["token"])
        # Whatever a stranger's folder names, it is a port of this machine, and hears a question about a network.
        connection = socket.create_connection(("127.0.0.1", port), timeout=CONNECT_SECONDS)
        if connection.recv(len(HELLO), socket.MSG_WAITALL) == HELLO:
            return connection, token
    except (OSError, StoreError, ValueError, KeyError, TypeError, OverflowError):
        pass
    if connection is not None:
        connection.close()
    return None


def ask(connection: socket.socket, token: str, message: dict[str, Any]) -> Generator[dict[str, Any]]:
    """Messages of the answering process until it is done; closing the iterator stops its work.

    The last one is an error where the process went away.
    """
    with connection, connection.makefile("rb") as lines:
        connection.settimeout(None)
        # Its end may come as the end of a file, a reset or half a line: all say the same.
        with contextlib.suppress(OSError, ValueError):
            connection.sendall(json.dumps(message | {"token": token}).encode() + b"\n")
            for line in lines:
                told: dict[str, Any] = json.loads(line)
                yield told
                if "part" not in told:
                    return
    yield {"error": GONE}
