"""Questions about an order of removal: accuracy along it, each unit of it alone, coarse curves of many layers.

Generators of ever better answers (plain JSON), as in ``questions``.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from prunescope.engine.evaluation.pace import STEP_SECONDS
from prunescope.engine.evaluation.subject import Subject, Subjects
from prunescope.engine.pruning import (
    PartialCurve,
    PruningError,
    criterion_named,
    global_order,
    rank_units,
    stream_ablation,
    stream_curve,
    stream_global_curve,
)
from prunescope.engine.pruning.on_data import Quantities

Part = TypeVar("Part")
Answer = dict[str, Any]
RANDOM_ROUNDS = 5
SURFACE_LEVELS = 24
GLOBAL_LEVELS = 48
SURFACE_EXAMPLES = 1000
# Seconds: a criterion that is measured sooner needs no first idea.
WORTH_AN_IDEA = 0.06


def order_of(
    subject: Subject, layer: str, criterion: str, seed: int = 0, known: Quantities | None = None
) -> np.ndarray:
    """Units of a layer, first removed first; criteria that look at data see training examples only."""
    inputs, targets = subject.calibration
    return rank_units(
        subject.network,
        layer,
        criterion,
        inputs,
        targets,
        seed,
        initial=subject.initial.get(f"{layer}.weight"),
        known=known or subject.known,
    )


def learn(subject: Subject, criterion: str, layers: Sequence[str]) -> Iterator[Answer]:
    """A tick for each piece of work until a criterion's orders cost nothing any more."""
    for _ in subject.learn(criterion, layers):
        yield {"tick": True}


def equal_steps(n_units: int, steps: int) -> list[int]:
    """Levels of removal, from 0 to all, about equally far apart."""
    return sorted({round(i * n_units / steps) for i in range(steps + 1)})


def curves(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Accuracy at every level for each criterion, and for random orders; the main criterion first.

    With several ``layers`` they are pruned together, each by the same share, at 49 levels.
    """
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    wanted = [(criterion, 0) for criterion in ask["criteria"]]
    wanted += [("random", seed) for seed in range(RANDOM_ROUNDS)]
    yield from _first_idea(subject, ask["layers"], ask["criteria"][0])
    for criterion in ask["criteria"]:
        yield from learn(subject, criterion, ask["layers"])
    running = {key: _curve_of(subject, ask["layers"], *key) for key in wanted}
    # Every line gets its first answer before any is refined, so that the picture is whole at once.
    for key in wanted:
        for answer in running[key]:
            yield answer | {"criterion": key[0], "seed": key[1]}
            if not answer.get("tick"):
                break
    # Then in turns, every other one for the line in the user's hand.
    waiting = deque(wanted[1:])
    main: tuple[str, int] | None = wanted[0]
    while main is not None or waiting:
        if main is not None:
            answer = next(running[main], None)
            if answer is None:
                main = None
            else:
                yield answer | {"criterion": main[0], "seed": main[1]}
        if waiting:
            key = waiting.popleft()
            answer = next(running[key], None)
            if answer is not None:
                waiting.append(key)
                yield answer | {"criterion": key[0], "seed": key[1]}


def _first_idea(subject: Subject, layers: Sequence[str], criterion: str) -> Iterator[Answer]:
    """Where a criterion takes long to measure: the curve of the order that the first few examples suggest."""
    begun = time.perf_counter()
    base = criterion_named(criterion).base

    def missing(quantities: Quantities) -> bool:
        return any((base, layer) not in quantities for layer in layers)

    # What an earlier question has begun to measure suggests an order at once.
    if missing(subject.suggested) or not missing(subject.known):
        for estimate in subject.learn(criterion, layers):
            yield {"tick": True}
            if time.perf_counter() - begun > WORTH_AN_IDEA and not missing(estimate):
                break
        else:
            return
    for answer in _curve_of(subject, layers, criterion, 0, subject.suggested):
        if not answer.get("tick"):
            yield answer | {"criterion": criterion, "seed": 0, "provisional": True}
            return
        yield answer


def _curve_of(
    subject: Subject, layers: Sequence[str], criterion: str, seed: int, known: Quantities | None = None
) -> Iterator[Answer]:
    if len(layers) == 1:
        order = order_of(subject, layers[0], criterion, seed, known)
        parts = stream_curve(subject.network, layers[0], order, subject.inputs, subject.targets, patience=STEP_SECONDS)
        yield from _refined(parts, order.tolist(), len(order))
        return
    inputs, targets = subject.calibration
    pairs = global_order(subject.network, layers, criterion, inputs, targets, seed, known=known or subject.known)
    levels = equal_steps(len(pairs), GLOBAL_LEVELS)
    parts = stream_global_curve(
        subject.network, pairs, subject.inputs, subject.targets, levels=levels, patience=STEP_SECONDS
    )
    yield from _refined(parts, [], len(pairs))


def _refined(parts: Iterator[PartialCurve], order: list[int], units: int) -> Iterator[Answer]:
    """Each estimate once; a tick where there is none yet, so that a newer question can take the place."""
    for part in _new(parts):
        yield (
            {"tick": True}
            if part is None
            else {
                "order": order,
                "units": units,
                "removed": part.removed.tolist(),
                "correct": part.correct.tolist(),
                "seen": part.n_seen,
                "total": part.n_total,
                "path": part.path,
            }
        )


def _new(parts: Iterator[Part]) -> Iterator[Part | None]:
    """Each answer of a stream once, and None where it had nothing new."""
    last = None
    for part in parts:
        yield None if part is last else part
        last = part


def ablation(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Correct answers with each single unit of a layer removed, and the order in which a criterion takes them."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    criterion = ask.get("criterion", "l2")
    yield from learn(subject, criterion, [ask["layer"]])
    order = order_of(subject, ask["layer"], criterion).tolist()
    for part in _new(
        stream_ablation(subject.network, ask["layer"], subject.inputs, subject.targets, patience=STEP_SECONDS)
    ):
        yield (
            {"tick": True}
            if part is None or not part.n_seen
            else {
                "correct": part.correct.tolist(),
                "dense": part.baseline,
                "seen": part.n_seen,
                "total": part.n_total,
                "order": order,
            }
        )


def sensitivity(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """One curve a layer, all others whole (Li 2016); layers whose units cannot be removed say why."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    for layer in ask["layers"]:
        try:
            yield from learn(subject, ask["criterion"], [layer])
            for answer in _coarse_curve(subject, layer, order_of(subject, layer, ask["criterion"])):
                yield {"layer": layer} | answer
        except PruningError as problem:
            yield {"layer": layer, "problem": str(problem)}


def together(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """The curve of several layers pruned together, at 49 levels."""
    subject = subjects.at(ask["run"], float(ask["epoch"]))
    yield from learn(subject, ask["criterion"], ask["layers"])
    yield from _curve_of(subject, ask["layers"], ask["criterion"], 0)


def surface(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """A coarse curve for each of many epochs: since when can how much go?"""
    for epoch in ask["epochs"]:
        subject = subjects.at(ask["run"], float(epoch))
        yield from learn(subject, ask["criterion"], [ask["layer"]])
        for answer in _coarse_curve(subject, ask["layer"], order_of(subject, ask["layer"], ask["criterion"])):
            yield {"epoch": epoch} | answer


def _coarse_curve(subject: Subject, layer: str, order: np.ndarray) -> Iterator[Answer]:
    """A tick for each step of work, then the curve."""
    count = min(len(subject.targets), SURFACE_EXAMPLES)
    inputs, targets = subject.inputs[:count], subject.targets[:count]
    levels = equal_steps(len(order), SURFACE_LEVELS)
    for part in stream_curve(subject.network, layer, order, inputs, targets, levels=levels, patience=STEP_SECONDS):
        yield {"tick": True}
        if part.n_seen == part.n_total:
            yield {
                "removed": part.removed.tolist(),
                "units": len(order),
                "correct": part.correct.tolist(),
                "seen": part.n_seen,
                "total": len(subject.targets),
            }
            return
