"""Answers while they are being measured: a first estimate at once, refined until it is exact.

An estimate is a rectangle of levels × examples, evaluated whole: some levels, and the correct answers at
each of them among the first examples of a fixed random order. The rectangle grows along a ladder: few
levels of few examples, more of both, every level, every example. How far it gets before the first answer
is a matter of time, so a small network answers at every level at once and a large one at three. What is
counted never is: each answer holds the counts of evaluating each masked network on those examples.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from prunescope.engine.pruning.curves import singles, with_layers
from prunescope.engine.pruning.flow import Network
from prunescope.engine.pruning.plan import Ints
from prunescope.engine.pruning.work import Work, as_units, calibrate, count, prepare
from torch import Tensor, nn

# Levels and examples of the estimates on the way; then every level of the last count, then every example.
_LADDER = ((3, 4), (5, 16), (9, 64), (17, 256), (17, 1024))
# An estimate from so many examples is worth an answer before it is due.
_ENOUGH = 256
# Of the patience: a first number soon is worth more than a better one.
_FIRST_SHARE = 0.5
# The least that is evaluated at once.
_MASKS_AT_ONCE, _EXAMPLES_AT_ONCE = 3, 4
# Examples that the fast way's margin is measured on, at least and at most, and the evaluations of each.
_PROBE, _PROBE_EVALUATIONS = (4, 64), 10


class PartialCurve(NamedTuple):
    """The curve as far as it is measured; exact, at every level asked for, when n_seen equals n_total.

    removed : (n_levels,) how many units are removed at the levels measured so far, both ends among them
    correct : (n_levels,) correct answers among the first n_seen examples, exact counts
    n_seen, n_total : examples; an estimate for all is correct / n_seen with its `wilson_interval`
    path : as in `Curve`
    """

    removed: Ints
    correct: Ints
    n_seen: int
    n_total: int
    path: str


class PartialAblation(NamedTuple):
    """`Ablation` on the first n_seen examples; exact when n_seen equals n_total, nothing yet when it is 0."""

    correct: Ints
    baseline: int
    n_seen: int
    n_total: int
    path: str


def stream_curve(
    model: nn.Module | Network,
    layer: str,
    order: Sequence[int] | Ints,
    inputs: Tensor,
    targets: Tensor,
    *,
    levels: Sequence[int] | Ints | None = None,
    patience: float = 0.15,
    seed: int = 0,
) -> Iterator[PartialCurve]:
    """The accuracy curve, measured on ever more levels and examples until it is exact.

    Every answer is consistent in itself: `correct[i]` counts the first `n_seen` examples at `removed[i]`
    removed units. From one answer to the next the levels only become more and never fewer, and so do the
    examples; an answer that has nothing new is the same object again: a chance to look up, or to close the
    generator, which stops the work. The last answer has all levels and all examples.

    The examples are taken in a random order fixed by `seed`, so that a part is a fair sample and its Wilson
    interval means something.

    Parameters
    ----------
    model, layer, order, inputs, targets, levels : as in `accuracy_curve`; hand over a traced `Network` when
        several curves of one model are asked for
    patience : seconds between answers, about; the first takes half of it, or what the least step takes, if
        that is more
    """
    pairs = [(layer, int(unit)) for unit in as_units(order, layer)]
    return stream_global_curve(
        with_layers(model, inputs, [layer]), pairs, inputs, targets, levels=levels, patience=patience, seed=seed
    )


def stream_global_curve(
    model: nn.Module | Network,
    order: Sequence[tuple[str, int]],
    inputs: Tensor,
    targets: Tensor,
    *,
    levels: Sequence[int] | Ints | None = None,
    patience: float = 0.15,
    seed: int = 0,
) -> Iterator[PartialCurve]:
    """`stream_curve` for an order of (layer, unit) over several layers; one level makes it `accuracy_of`."""
    start = time.perf_counter()
    work = prepare(model, order, inputs, targets, levels)
    last, answer = None, None
    for found in _refine(work, _Pace(patience, start), seed, coarse=True):
        if answer is None or found is not last:
            last = found
            answer = PartialCurve(
                work.plan.levels[found.positions], found.correct, found.seen, len(targets), work.path
            )
        yield answer


def stream_ablation(
    model: nn.Module | Network,
    layer: str,
    inputs: Tensor,
    targets: Tensor,
    *,
    patience: float = 0.15,
    seed: int = 0,
) -> Iterator[PartialAblation]:
    """`unit_ablation`, measured on ever more examples until it is exact; otherwise as `stream_curve`.

    Removing every unit once takes a large network longer than an answer may: then the first answers have seen
    no example yet.
    """
    start = time.perf_counter()
    network = with_layers(model, inputs, [layer])
    pairs, which = singles(network, layer)
    work = prepare(network, pairs, inputs, targets, singles=True)
    last, answer = None, None
    for found in _refine(work, _Pace(patience, start), seed, coarse=False):
        if answer is None or found is not last:
            last = found
            counts = found.correct
            answer = PartialAblation(counts[1:][which], int(counts[0]), found.seen, len(targets), work.path)
        yield answer


class _Rectangle(NamedTuple):
    """Correct answers among the first `seen` examples under some of the masks."""

    positions: Ints
    correct: Ints
    seen: int


@dataclass
class _Pace:
    """How much can be evaluated before an answer is due.

    Attributes
    ----------
    patience : seconds between answers
    since : when the last answer was given
    rate : seconds an evaluation of one example under one mask took lately; 0 before the first
    answered : whether there was an answer yet
    """

    patience: float
    since: float
    rate: float = 0.0
    answered: bool = False

    def answer(self) -> None:
        """An answer was given."""
        self.since, self.answered = time.perf_counter(), True

    @property
    def left(self) -> float:
        """Evaluations that fit before the next answer is due."""
        patience = self.patience if self.answered else _FIRST_SHARE * self.patience
        seconds = patience - (time.perf_counter() - self.since)
        return seconds / self.rate if self.rate else _MASKS_AT_ONCE * _EXAMPLES_AT_ONCE

    def piece(self, n_masks: int, n_examples: int) -> tuple[int, int]:
        """How many masks and examples to evaluate at once, of so many."""
        left = self.left
        examples = min(n_examples, max(_EXAMPLES_AT_ONCE, int(min(left / n_masks, n_examples))))
        return min(n_masks, max(_MASKS_AT_ONCE, int(min(left / examples, n_masks)))), examples


def _refine(work: Work, pace: _Pace, seed: int, *, coarse: bool) -> Iterator[_Rectangle]:
    """Rectangles of masks × examples, each at least as large as the one before; the last one is the whole.

    With `coarse`, some of the masks come first. A rectangle that is due for the second time has not grown.
    """
    shuffle = torch.randperm(len(work.targets), generator=torch.Generator().manual_seed(seed))
    every = np.arange(len(work.spans))
    begun = every[:0] if coarse else every
    known = _Rectangle(begun, np.zeros(len(begun), dtype=np.int64), 0)
    for n_masks, n_examples in _stages(len(work.spans), len(shuffle), coarse=coarse):
        if pace.left >= len(every) * n_examples or len(known.positions) == len(every):
            n_masks = len(every)
        positions = np.unique(np.linspace(0, len(every) - 1, n_masks).round().astype(np.int64))
        # More masks than before have to see the first examples, too.
        same = len(positions) == len(known.positions)
        correct, seen = (known.correct, known.seen) if same else (np.zeros(len(positions), dtype=np.int64), 0)
        while seen < n_examples:
            at_once, many = pace.piece(len(positions), min(work.chunk, n_examples - seen))
            rows, hits = shuffle[seen : seen + many], []
            for part in np.split(positions, range(at_once, len(positions), at_once)):
                if len(known.positions) and pace.left < _MASKS_AT_ONCE * _EXAMPLES_AT_ONCE:
                    yield known
                    pace.answer()
                began = time.perf_counter()
                hits.append(count(work, [work.spans[i] for i in part], rows))
                pace.rate = (time.perf_counter() - began) / (len(part) * many)
            correct, seen = correct + np.concatenate(hits), seen + many
            if seen >= known.seen:
                known = _Rectangle(positions, correct, seen)
            if work.fast is not None and work.tolerance is None:
                probe = min(max(_PROBE[0], int(pace.left / _PROBE_EVALUATIONS)), _PROBE[1])
                if pace.answered or pace.left >= probe * _PROBE_EVALUATIONS:
                    work = calibrate(work, probe)
        if n_examples >= _ENOUGH or n_examples == len(shuffle):
            yield known
            pace.answer()


def _stages(n_masks: int, n_examples: int, *, coarse: bool) -> list[tuple[int, int]]:
    """Masks and examples of each rectangle to reach."""
    ladder = [(min(few, n_masks) if coarse else n_masks, some) for few, some in _LADDER if some < n_examples]
    again = [(n_masks, ladder[-1][1])] if ladder else []
    return [*ladder, *again, (n_masks, n_examples)]
