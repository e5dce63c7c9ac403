"""A training loop that answers questions about its own network, in a process that it forks for that.

Not on a thread: following a network's channels replaces parts of torch for a moment, and a training beside it
would fall over them. The dashboard finds the way here by a file in the run's folder: a port of this machine's
loopback and a token that only the owner of the file can read. One connection is one question; answers are lines
of JSON until ``done`` or ``error``; closing the connection stops the work. `answered.py` is the other end.
"""

import contextlib
import copy
import gc
import hmac
import itertools
import json
import os
import queue
import secrets
import signal
import socket
import threading
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prunescope.engine.store import Store

if TYPE_CHECKING:
    from torch import nn

FILE = "answers.json"
LONGEST_QUESTION = 1 << 20
# A port may have gone to another program since the file was written: who does not say this is not asked.
HELLO = b"prunescope answers\n"
# How soon the process notices that the training was killed.
ORPHAN_SECONDS = 1.0


class Answering:
    """A process that answers until it is closed, or its parent ends. Make it before the training has threads.

    Parameters
    ----------
    store, run_id
        The recorded run; weights are read from it, never from the model that is being trained.
    model : nn.Module
        Copied at once.
    examples : callable
        Returns (inputs, targets) on the CPU; called once, in the forked process, when the first question comes.

    Raises
    ------
    OSError
        If no socket or no process can be had.
    """

    def __init__(self, store: Store, run_id: str, model: "nn.Module", examples: Callable[[], Any]) -> None:
        self._file = store.run(run_id).path / FILE
        token = secrets.token_hex(16)
        # A forked process has no way to a GPU that its parent uses.
        still = copy.deepcopy(model).cpu()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            parent = os.getpid()
            with warnings.catch_warnings():
                # Python warns of forks beside threads; the child touches nothing that they may hold.
                warnings.simplefilter("ignore", DeprecationWarning)
                self._process = os.fork()
            if self._process == 0:
                _answer_until_orphaned(listener, token, parent, store.root, still, examples)
            _write_private(self._file, json.dumps({"port": listener.getsockname()[1], "token": token}))

    def close(self) -> None:
        """Answer no more; who still waits is told by the end of the connection."""
        with contextlib.suppress(OSError):
            self._file.unlink()
        with contextlib.suppress(OSError):
            os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)


def _answer_until_orphaned(
    listener: socket.socket, token: str, parent: int, root: Path, model: "nn.Module", examples: Callable[[], Any]
) -> None:
    """The forked process: it never returns into the training's code."""
    try:
        # Ctrl-C is for the training, which then ends this process.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Locks and pipes of the training must not outlive it here; nor may what is garbage close them again.
        gc.freeze()
        os.closerange(3, listener.fileno())
        os.closerange(listener.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        import torch

        # Threads of a forked OpenMP pool do not exist any more.
        torch.set_num_threads(1)
        _Answers(listener, token, parent, root, model, examples).run()
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


class _Answers:
    """Hears questions on a socket, and works on them in turns."""

    def __init__(
        self,
        listener: socket.socket,
        token: str,
        parent: int,
        root: Path,
        model: "nn.Module",
        examples: Callable[[], Any],
    ) -> None:
        self._listener, self._token, self._parent = listener, token, parent
        self._numbers = itertools.count(1)
        self._askers: dict[int, socket.socket] = {}
        self._waiting: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._root, self._model, self._examples = root, model, examples

    def run(self) -> None:
        # First an ear, then what it takes to answer: who asks early is heard at once.
        threading.Thread(target=self._accept, daemon=True).start()
        from prunescope.engine.evaluation.service import Service
        from prunescope.engine.evaluation.subject import Subjects

        subjects = Subjects(Store(self._root), model=lambda: self._model, data=self._examples)
        Service(subjects, self._say, self._waiting).run()

    def _accept(self) -> None:
        self._listener.settimeout(ORPHAN_SECONDS)
        while os.getppid() == self._parent:
            with contextlib.suppress(TimeoutError):
                asker, _ = self._listener.accept()
                asker.settimeout(None)
                threading.Thread(target=self._hear, args=(asker,), daemon=True).start()
        os._exit(0)

    def _hear(self, asker: socket.socket) -> None:
        number = next(self._numbers)
        with contextlib.suppress(OSError, ValueError), asker, asker.makefile("rb") as lines:
            asker.sendall(HELLO)
            message = json.loads(lines.readline(LONGEST_QUESTION))
            if not hmac.compare_digest(str(message.pop("token", "")), self._token):
                return
            self._askers[number] = asker
            self._waiting.put(message | {"id": number})
            # It says nothing more: the end of what it says means that nobody waits any longer.
            lines.read(1)
        if self._askers.pop(number, None) is not None:
            self._waiting.put({"id": number, "cancel": True})

    def _say(self, message: dict[str, Any]) -> None:
        asker = self._askers.get(message["id"])
        if asker is not None:
            with contextlib.suppress(OSError):
                asker.sendall(json.dumps(message, allow_nan=False, default=float).encode() + b"\n")


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
