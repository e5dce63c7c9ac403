"""The table that the promises print, and what was broken."""

import sys
import time

broken: list[str] = []


def row(promise: str, reach: str, measured: str, kept: bool) -> None:
    """One line of the table."""
    if not kept:
        broken.append(promise)
    print(f"{promise:70} {reach:>22}  {measured}{'' if kept else '   BROKEN'}", flush=True)


def progress(text: str) -> None:
    """One line on the screen, which the table does not hold."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)
