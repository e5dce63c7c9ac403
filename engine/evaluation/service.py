"""The evaluator process: ``python -m prunescope.engine.evaluation.service --logdir runs``.

Questions come in on stdin and answers go out on stdout, a JSON object a line. All open questions are
worked on in turns, the most urgent first and of equals the newest, so that an answer to the slider in
the user's hand never waits for a picture that fills in the background. Once it is no longer fresh, every
third turn is another question's: who follows a training asks the most urgent one without end, and the
pictures beside it would never come. It ends with its stdin.
"""

import argparse
import json
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from prunescope.engine.evaluation.questions import QUESTIONS
from prunescope.engine.evaluation.subject import Subjects, set_threads
from prunescope.engine.store import Store, StoreError

# So long a question has all turns for itself.
FRESH_SECONDS = 0.5
# Then one of so many goes to the question that has waited longest for one.
OTHERS_TURN = 3

# Questions, cancellations, and None for the end.
Inbox = queue.SimpleQueue[dict[str, Any] | None]


@dataclass
class Job:
    id: int
    priority: int
    answers: Iterator[dict[str, Any]]
    asked: float
    worked_on: float


class Service:
    """Works on open questions in turns."""

    def __init__(
        self, subjects: Subjects, tell: Callable[[dict[str, Any]], None], inbox: Inbox | None = None
    ):
        self._subjects = subjects
        self._tell = tell
        self._jobs: dict[int, Job] = {}
        self._turns = 0
        self.inbox: Inbox = queue.SimpleQueue() if inbox is None else inbox

    def run(self) -> None:
        # Of this thread alone: a training beside it goes on with its gradients.
        torch.set_grad_enabled(False)
        while True:
            # Without work there is nothing to do but wait; with work, take only what has come.
            try:
                message = self.inbox.get(block=not self._jobs)
            except queue.Empty:
                self._step()
                continue
            if message is None:
                return
            self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        number = message["id"]
        if message.get("cancel"):
            job = self._jobs.pop(number, None)
            if job is not None:
                job.answers.close()  # type: ignore[attr-defined]
            return
        question = QUESTIONS.get(message["ask"])
        if question is None:
            self._say(number, error=f"ask: {message['ask']!r} is unknown. Use one of {', '.join(QUESTIONS)}.")
            return
        now = time.monotonic()
        priority = int(message.get("priority", 0))
        self._jobs[number] = Job(number, priority, question(self._subjects, message), asked=now, worked_on=now)

    def _next(self) -> Job:
        """The question whose turn it is."""
        first = min(self._jobs.values(), key=lambda job: (job.priority, -job.id))
        others = [job for job in self._jobs.values() if job is not first]
        if not others or time.monotonic() - first.asked < FRESH_SECONDS:
            return first
        self._turns += 1
        return first if self._turns % OTHERS_TURN else min(others, key=lambda job: job.worked_on)

    def _step(self) -> None:
        job = self._next()
        job.worked_on = time.monotonic()
        try:
            answer = next(job.answers)
        except StopIteration:
            self._jobs.pop(job.id, None)
            self._say(job.id, done=True)
        except (ValueError, StoreError, KeyError, OSError) as problem:
            self._jobs.pop(job.id, None)
            self._say(job.id, error=str(problem) if not isinstance(problem, KeyError) else f"{problem} is missing")
        except Exception as problem:
            # A network of the user's own may fail in any way; the page says so and stays usable.
            traceback.print_exc()
            self._jobs.pop(job.id, None)
            self._say(job.id, error=f"{type(problem).__name__}: {problem}")
        else:
            if not answer.get("tick"):
                self._say(job.id, part=answer)

    def _say(self, number: int, **what: Any) -> None:
        self._tell({"id": number} | what)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="prunescope.engine.evaluation.service")
    parser.add_argument("--logdir", required=True)
    parser.add_argument("--model")
    parser.add_argument("--data")
    options = parser.parse_args(arguments)
    set_threads()
    # What a network of the user's own prints must not be taken for an answer.
    out, sys.stdout = sys.stdout, sys.stderr

    def tell(message: dict[str, Any]) -> None:
        out.write(json.dumps(message, allow_nan=False, default=float) + "\n")
        out.flush()

    service = Service(Subjects(Store(options.logdir), model=options.model, data=options.data), tell)

    def read() -> None:
        for line in sys.stdin:
            service.inbox.put(json.loads(line))
        service.inbox.put(None)

    threading.Thread(target=read, daemon=True).start()
    service.run()


if __name__ == "__main__":
    main()
