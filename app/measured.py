"""Answers of the evaluator about finished networks, kept: a page that comes back measures nothing again.

One line of JSON each, in ``.measured.jsonl`` beside the runs. It is a cache: whatever of it cannot be read is
measured anew, and where it cannot be written the answers are kept in memory alone.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from prunescope.engine.store import Run, StoreError, files

FILE = ".measured.jsonl"
# Of another version of the questions: what an older release has measured does not pass for an answer to these.
VERSION = 1
# An answer is about a kilobyte; a larger file is begun anew.
MOST_BYTES = 64 * 2**20


class Question(NamedTuple):
    """What is asked of one network.

    Attributes
    ----------
    key : the question in full, with the run's own moment of birth: a deleted run's name may come back
    """

    key: str
    ask: str
    details: dict[str, Any]


def question(run: Run, ask: str, details: Mapping[str, Any]) -> Question:
    """A question about the newest snapshot of a run."""
    about = {"run": run.id, "epoch": float(run.epochs[-1]), **details}
    key = json.dumps([VERSION, ask, run.created, about], sort_keys=True)
    return Question(key, ask, about)


class Measured:
    """Question → answer; safe from many threads.

    Parameters
    ----------
    root : the log directory
    write : whether answers outlive this process
    """

    def __init__(self, root: Path, *, write: bool = True) -> None:
        self._path = root / FILE
        self._write = write
        self._known: dict[str, dict[str, Any]] | None = None
        self._lock = Lock()

    def get(self, asked: Question) -> dict[str, Any] | None:
        with self._lock:
            return self._all().get(asked.key)

    def put(self, asked: Question, answer: dict[str, Any]) -> None:
        with self._lock:
            known = self._all()
            if asked.key in known:
                return
            known[asked.key] = answer
            if self._write:
                # Behind a line's end of its own: what a killed process has left half written spoils no other line.
                self._append("\n" + json.dumps({"key": asked.key, "answer": answer}))

    def _all(self) -> dict[str, dict[str, Any]]:
        if self._known is None:
            self._known = _read(self._path)
        return self._known

    def _append(self, line: str) -> None:
        try:
            handle = files.open_regular(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            try:
                if os.fstat(handle).st_size + len(line) > MOST_BYTES:
                    os.ftruncate(handle, 0)
                # In one piece, so that two dashboards over one folder do not cut each other's lines.
                os.write(handle, line.encode())
            finally:
                os.close(handle)
        except (OSError, StoreError):
            self._write = False


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        lines = files.read_small(path, MOST_BYTES).decode("utf-8", "replace").splitlines()
    except (OSError, StoreError):
        return {}
    found = {}
    for line in lines:
        try:
            told = json.loads(line)
            if isinstance(told["key"], str) and isinstance(told["answer"], dict):
                found[told["key"]] = told["answer"]
        except (ValueError, KeyError, TypeError, RecursionError):
            continue
    return found
