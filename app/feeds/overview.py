"""Is it learning, and is structure appearing? The run's metrics, and each layer in five numbers."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from prunescope.app.feeds.curve import headline, metrics_at
from prunescope.app.feeds.words import epoch_text
from prunescope.app.figures import overview as figures
from prunescope.engine.geometry import effective_rank, singular_values, spherical_kmeans
from prunescope.engine.store import LayerInfo, Run

# Wide layers are told by a fixed draw of their units: a full clustering of each, each epoch, would not keep up.
CLUSTERED_UNITS = 256
CLUSTERS = 4
METRIC_WORDS = {
    "val/accuracy": "validation accuracy",
    "train/accuracy": "training accuracy",
    "val/loss": "validation loss",
    "train/loss": "training loss",
}


@dataclass
class OverviewMemory:
    run_name: str
    layers: tuple[LayerInfo, ...]
    config: dict[str, Any]
    cache: dict[str, Any] = field(default_factory=dict)
    # (layers,) median angles of each epoch, the first one first.
    angles: list[np.ndarray] = field(default_factory=list)


class OverviewFeed:
    """Loss, accuracy, and per layer: median angle, effective rank, spread of norms."""

    # The page's headline is never about an epoch that is only on the way to the one asked for.
    ahead = True
    keys: tuple[str, ...] = ()

    def begin(self, run: Run, view: dict[str, Any]) -> OverviewMemory:
        if not run.layers:
            raise ValueError(run.error or f"{run.name}: nothing recorded yet. The first snapshot brings it.")
        return OverviewMemory(run.name, run.layers, run.config)

    def row(self, run: Run, memory: OverviewMemory, index: int, epoch: float) -> dict[str, Any]:
        metrics = metrics_at(run, memory.cache, index)
        angles, ranks, spreads = [], [], []
        for layer in memory.layers:
            angle, rank, spread = layer_numbers(run.weights(layer.name, epoch))
            angles.append(angle)
            ranks.append(rank)
            spreads.append(spread)
        name = headline(memory.cache["table"]) or "no metric recorded"
        value = metrics.get(name, np.nan)
        if index == len(memory.angles):
            memory.angles.append(np.asarray(angles))
        # Marks are about accuracy; a loss below 0.5 is no event.
        history = memory.cache["table"][name][: index + 1] if "accuracy" in name else np.zeros(0)
        return {
            "train_loss": metrics.get("train/loss", np.nan),
            "val_loss": metrics.get("val/loss", np.nan),
            "train_accuracy": metrics.get("train/accuracy", np.nan),
            "val_accuracy": metrics.get("val/accuracy", np.nan),
            "angle": np.asarray(angles),
            "rank": np.asarray(ranks),
            "spread": np.asarray(spreads),
            "finding": self._finding(memory, np.asarray(angles), metrics, epoch),
            "sub": self._sub(memory, epoch),
            "big": _percent(value) if "accuracy" in name else f"{value:.3f}",
            "big_note": METRIC_WORDS.get(name, name),
            "label_train": f"train {_percent(metrics.get('train/accuracy'))}",
            "label_val": f"validation {_percent(metrics.get('val/accuracy'))}",
            "events": events(history, np.stack(memory.angles), [layer.name for layer in memory.layers], run),
            "layer_lines": [
                f"{layer.name} · median angle {a:.1f}° · effective rank {r:.1f} of {min(layer.units, layer.fan_in)} "
                f"· norms spread {s:.2f}"
                for layer, a, r, s in zip(memory.layers, angles, ranks, spreads, strict=True)
            ],
        }

    @staticmethod
    def _finding(memory: OverviewMemory, angles: np.ndarray, metrics: dict[str, float], epoch: float) -> str:
        accuracy = metrics.get("val/accuracy", metrics.get("train/accuracy"))
        deltas = angles - memory.angles[0]
        if epoch == 0 or not np.isfinite(deltas).any():
            return "Before training: weights as they were drawn." if epoch == 0 else "Training."
        most = int(np.nanargmin(deltas))
        name, fall = memory.layers[most].name, -deltas[most]
        learned = "" if accuracy is None or not np.isfinite(accuracy) else f"At {100 * accuracy:.1f} % accuracy, "
        told = f"{name} has drawn together most, by {fall:.1f}° of median angle."
        if fall < 1:
            told = "no layer has drawn together: median angles moved by less than 1°."
        return learned + told if learned else told[0].upper() + told[1:]

    @staticmethod
    def _sub(memory: OverviewMemory, epoch: float) -> str:
        config = memory.config
        parts = [memory.run_name, *(str(config[key]) for key in ("dataset", "model") if config.get(key))]
        if config.get("init_scale", 1.0) != 1.0:
            parts.append(f"init ×{config['init_scale']:g}")
        if config.get("label_noise"):
            parts.append(f"{100 * config['label_noise']:g} % of labels random")
        if config.get("seed") is not None:
            parts.append(f"seed {config['seed']}")
        return " · ".join([*parts, epoch_text(epoch)])

    def templates(self, run: Run, memory: OverviewMemory, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        names = [layer.name for layer in memory.layers]
        return {
            "figures": {
                "accuracy": figures.accuracy(theme),
                "loss": figures.loss(theme),
                "layer-angle": figures.per_layer(names, "angle", "median angle", theme, ticksuffix="°"),
                "layer-rank": figures.per_layer(names, "rank", "effective rank", theme, rangemode="tozero"),
                "layer-spread": figures.per_layer(names, "spread", "sd / mean", theme, rangemode="tozero"),
            },
            "texts": figures.texts(),
            "lists": {"overview-layers": figures.layer_list(len(names), theme)},
        }

    def settled(self, memory: OverviewMemory) -> dict[str, Any]:
        return {}


def layer_numbers(weights: np.ndarray) -> tuple[float, float, float]:
    """Median angle to the nearest of four centres (degrees), effective rank, sd/mean of the norms."""
    if not np.isfinite(weights).all():
        return np.nan, np.nan, np.nan
    norms = np.linalg.norm(weights, axis=1)
    live = weights[norms > 0]
    if len(live) == 0:
        return np.nan, 0.0, np.nan
    some = live[:: max(1, len(live) // CLUSTERED_UNITS)][:CLUSTERED_UNITS]
    found = spherical_kmeans(some, min(CLUSTERS, len(some)), seed=0, n_init=3)
    return (
        float(np.median(found.angles)),
        float(effective_rank(singular_values(weights))),
        float(norms.std() / norms.mean()),
    )


def events(values: np.ndarray, angles: np.ndarray, names: list[str], run: Run) -> str:
    """What has happened so far, in words.

    values : the accuracy of each epoch up to the one told about; empty where none is recorded
    angles : (epochs, layers) median angles, of as many epochs as are known
    """
    told: list[str] = []
    for mark in (0.5, 0.9, 0.95):
        reached = np.flatnonzero(values >= mark)
        if len(reached) and np.nanmax(values) <= 1:
            told.append(f"{100 * mark:.0f} % accuracy at {epoch_text(float(run.epochs[reached[0]]))}")
    fall = angles[0] - angles
    for i, name in enumerate(names):
        begun = np.flatnonzero(fall[:, i] >= 5)
        if len(begun):
            told.append(f"{name}: 5° closer by {epoch_text(float(run.epochs[begun[0]]))}")
    return "\n".join(told) if told else "Nothing to report yet."


def _percent(value: float | None) -> str:
    return "–" if value is None or not np.isfinite(value) else f"{100 * value:.1f} %"
