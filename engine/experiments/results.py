"""What is kept of a finished run in the run table. From recorded numbers only; imports no torch."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from prunescope.engine.store import Run
from prunescope.engine.training.start import read_start

# Zhang et al. 2016 ask when random labels are fitted; the acceptance check puts it at this accuracy.
FITTED = 0.99


class EarlyStop(NamedTuple):
    """The moment of the least validation loss, found afterwards: training itself never stops early.

    iteration : updates done by then
    accuracy : validation accuracy there
    """

    iteration: int
    accuracy: float


def early_stop(
    epochs: NDArray[np.float64], losses: NDArray[np.float64], accuracies: NDArray[np.float64], steps_per_epoch: int
) -> EarlyStop:
    """Early stopping as Frankle & Carbin 2018 compute it, at the snapshots there are; of equal ones the first.

    Parameters
    ----------
    epochs, losses, accuracies : (n_snapshots,)
    """
    best = int(np.nanargmin(losses))
    return EarlyStop(round(float(epochs[best]) * steps_per_epoch), float(accuracies[best]))


class TwoLayers(NamedTuple):
    """Measures of a net with one hidden layer. Neyshabur et al. 2018.

    capacities : (h,) β_i = ‖u_i − u_i⁰‖
    impacts : (h,) α_i = ‖v_i‖, what unit i sends to all classes
    distance, norm : ‖U − U⁰‖_F, ‖U‖_F
    angle : degrees between U and U⁰ as vectors
    """

    capacities: NDArray[np.float64]
    impacts: NDArray[np.float64]
    distance: float
    norm: float
    angle: float


def two_layer_measures(
    initial: NDArray[np.floating], hidden: NDArray[np.floating], output: NDArray[np.floating]
) -> TwoLayers:
    """Unit capacity, unit impact and what the layer as a whole moved.

    Parameters
    ----------
    initial, hidden : (h, d) U⁰ and U
    output : (classes, h) V
    """
    before, after = np.asarray(initial, np.float64), np.asarray(hidden, np.float64)
    moved = after - before
    cosine = float((before * after).sum() / (np.linalg.norm(before) * np.linalg.norm(after)))
    return TwoLayers(
        capacities=np.linalg.norm(moved, axis=1),
        impacts=np.linalg.norm(np.asarray(output, np.float64), axis=0),
        distance=float(np.linalg.norm(moved)),
        norm=float(np.linalg.norm(after)),
        angle=float(np.degrees(np.arccos(np.clip(cosine, -1, 1)))),
    )


def result_of(run: Run, measures: Sequence[str] = ()) -> dict[str, Any]:
    """The numbers of a finished run: JSON, so that tables of many runs open no run folder."""
    epochs, metrics = run.epochs, run.metrics()
    steps = int(run.meta["steps_per_epoch"])
    stop = early_stop(epochs, metrics["val/loss"], metrics["val/accuracy"], steps)
    fitted = np.flatnonzero(metrics["train/accuracy"] >= FITTED)
    result: dict[str, Any] = {
        "accuracy": metrics["val/accuracy"][-1],
        "loss": metrics["val/loss"][-1],
        "train_accuracy": metrics["train/accuracy"][-1],
        "first_accuracy": metrics["val/accuracy"][0],
        "best_accuracy": np.nanmax(metrics["val/accuracy"]),
        "early_stop_iteration": stop.iteration,
        "early_stop_accuracy": stop.accuracy,
        "iterations": round(float(epochs[-1]) * steps),
        "epochs_to_fit": epochs[fitted[0]] if len(fitted) else None,
        "remaining": 1.0,
    }
    start = read_start(run.path)
    if start is not None:
        kept = ("structure", "kept", "remaining", "weights", "of", "macs", "macs_before")
        result |= {name: start.facts[name] for name in kept if name in start.facts}
        if start.prunings:
            result |= _after_prunings(run)
    if "neyshabur" in measures:
        result |= _neyshabur(run)
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in result.items()}


def _after_prunings(run: Run) -> dict[str, Any]:
    """What is not zero at the end: during training the mask grew."""
    last = float(run.epochs[-1])
    alive = {layer.name: run.weights(layer.name, last) != 0 for layer in run.layers}
    total = sum(mask.size for mask in alive.values())
    weights = int(sum(mask.sum() for mask in alive.values()))
    kept = {name: [int(mask.any(axis=1).sum()), len(mask)] for name, mask in alive.items()}
    return {"structure": "units", "kept": kept, "weights": weights, "of": total, "remaining": weights / total}


def _neyshabur(run: Run) -> dict[str, float]:
    hidden, output = (layer.name for layer in run.layers)
    first, last = float(run.epochs[0]), float(run.epochs[-1])
    found = two_layer_measures(run.weights(hidden, first), run.weights(hidden, last), run.weights(output, last))
    return {
        "unit_capacity": float(found.capacities.mean()),
        "unit_impact": float(found.impacts.mean()),
        "distance": found.distance,
        "norm": found.norm,
        "angle": found.angle,
        "hidden": len(found.capacities),
    }
