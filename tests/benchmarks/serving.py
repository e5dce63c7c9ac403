"""What the benchmarks in a browser share: finding the browser, and a server in a process of its own."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator


def find_browser() -> str | None:
    """The Chromium or Chrome of this machine."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.contextmanager
def served(*command: str) -> Iterator[str]:
    """A Python program that serves on the port which is its last argument: its address, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen([sys.executable, *command, str(port)], stderr=subprocess.DEVNULL) as process:
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/").close()
                break
            time.sleep(0.05)
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()
