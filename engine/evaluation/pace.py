"""How much of an answer to work out at a time, so that a newer question never waits long."""

import time
from collections.abc import Callable, Iterator

import torch
from prunescope.engine.evaluation.subject import Subject

# Between two answers the process looks for a newer question: this is about how long that may wait.
STEP_SECONDS = 0.08
# Enough examples for a first answer within ± 6 points, few enough to be there at once.
FIRST_EXAMPLES = 256


def in_steps(
    subject: Subject, count: int, work: Callable[[torch.Tensor, torch.Tensor], None], first: int = FIRST_EXAMPLES
) -> Iterator[int]:
    """Hand the first ``count`` held-out examples to ``work``, as many at once as a step has time for.

    Yields the number of examples done after each step.
    """
    done, size = 0, first
    while done < count:
        start = time.perf_counter()
        end = min(count, done + size)
        work(subject.inputs[done:end], subject.targets[done:end])
        took = time.perf_counter() - start
        # Small steps cost more in all, as each prepares anew: never fewer than a quarter of the first.
        size = max(first // 4, int(min(2.0, STEP_SECONDS / max(took, 1e-6)) * (end - done)))
        done = end
        yield done
