"""The dashboard's end of the evaluator process: started when first asked, ended with the dashboard."""

import contextlib
import itertools
import json
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from flask import has_request_context, request
from prunescope.engine.evaluation.answered import GONE, answerer, ask

# How often a request that waits for an answer looks whether its page still does.
LOOK_SECONDS = 0.25


class EvaluatorError(ValueError):
    """What the evaluator could not answer, as a sentence for the page."""


class Evaluator:
    """Asks questions about recorded networks; safe from many threads.

    Parameters
    ----------
    model, data : ``module:callable`` named on the command line, for runs of own training loops
    """

    def __init__(self, logdir: Path, *, model: str | None = None, data: str | None = None):
        self._logdir = logdir
        self._command = [sys.executable, "-m", "prunescope.engine.evaluation.service", "--logdir", str(logdir)]
        for flag, value in (("--model", model), ("--data", data)):
            if value is not None:
                self._command += [flag, value]
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self._numbers = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._lock = threading.Lock()

    def ask(self, question: str, *, priority: int = 0, **details: Any) -> Iterator[dict[str, Any]]:
        """Ever better answers; closing the iterator stops the work on them.

        Raises
        ------
        EvaluatorError
            If the question cannot be answered, or the process ended.
        """
        elsewhere = self._answerer(details.get("run"))
        asked = {"ask": question, "priority": priority} | details
        if elsewhere is not None and (yield from _parts(ask(*elsewhere, asked))):
            return
        number = next(self._numbers)
        inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._waiting[number] = inbox
        finished = False
        try:
            self._send({"id": number} | asked)
            while True:
                try:
                    message = inbox.get(timeout=LOOK_SECONDS)
                except queue.Empty:
                    _stop_if_abandoned()
                    continue
                if "part" in message:
                    yield message["part"]
                    continue
                finished = True
                if "error" in message:
                    raise EvaluatorError(message["error"])
                return
        finally:
            self._waiting.pop(number, None)
            if not finished:
                self._send({"id": number, "cancel": True}, start=False)

    def _answerer(self, run: object) -> tuple[socket.socket, str] | None:
        """The training loop that answers for a run itself, if it does and still runs."""
        if not isinstance(run, str) or not run or Path(run).name != run:
            return None
        return answerer(self._logdir / run)

    def close(self) -> None:
        with self._lock:
            process, self._process = self._process, None
            reader, self._reader = self._reader, None
        if process is not None:
            process.terminate()
            process.wait()
        if reader is not None:
            reader.join()

    def _send(self, message: dict[str, Any], *, start: bool = True) -> None:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                if not start:
                    return
                self._start()
            # A process that has just ended is told to all who wait by the thread that reads from it.
            with contextlib.suppress(OSError):
                self._write(message)

    def warm_up(self) -> None:
        """Start the process before it is needed: PyTorch takes seconds to import."""
        with self._lock:
            if self._process is None:
                self._start()

    def _write(self, message: dict[str, Any]) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def _start(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Ctrl-C is for the dashboard, which then ends this process by closing its stdin.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            message = json.loads(line)
            inbox = self._waiting.get(message["id"])
            if inbox is not None:
                inbox.put(message)
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                # What was still to be written has no reader any more.
                with contextlib.suppress(OSError):
                    pipe.close()
        for inbox in list(self._waiting.values()):
            inbox.put({"error": f"The process that measures accuracy ended (exit code {code}). Try again: it is started anew."})


def _stop_if_abandoned() -> None:
    """Raise EvaluatorError where the page that asked has gone.

    An old question yields to newer ones, so it may not have an answer to find that out with for as long as newer
    ones come: its thread, and with it soon all threads, would wait for nobody.
    """
    gone = request.environ.get("waitress.client_disconnected") if has_request_context() else None
    if gone is not None and gone():
        raise EvaluatorError("Nobody waits for this answer any more.")


def _parts(messages: Generator[dict[str, Any]]) -> Generator[dict[str, Any], None, bool]:
    """Answers of a training loop; returns whether it lived to the end of them."""
    with contextlib.closing(messages):
        for message in messages:
            if message.get("error") == GONE:
                return False
            if "error" in message:
                raise EvaluatorError(message["error"])
            if "part" in message:
                yield message["part"]
    return True
