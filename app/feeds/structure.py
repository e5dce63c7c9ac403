"""How redundant is a layer, and how did its units grow? Frame potential, norms, and the race between units."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from prunescope.app.feeds.layers import Snapshot, about, dead_words, snapshot
from prunescope.app.feeds.words import chosen_layer, epoch_text, signed, units
from prunescope.app.figures import structure as figures
from prunescope.engine.geometry import alignment_race, compare_to_init, frame_summary, leave_one_out
from prunescope.engine.store import LayerInfo, Run

# Below three standard deviations of random directions nothing is claimed.
CLAIM_Z = 3.0
# And below two per cent of the frame potential nothing that anyone would see.
CLAIM_SHARE = 0.02
GRID = 81


@dataclass
class StructureMemory:
    layer: LayerInfo
    first: Snapshot
    early: Snapshot
    early_epoch: float
    reader: LayerInfo | None


class StructureFeed:
    """One layer, epoch by epoch: frame potential, leave-one-out, norms, cosine to init, race."""

    ahead = True
    keys = ("layer", "early")

    def begin(self, run: Run, view: dict[str, Any]) -> StructureMemory:
        layer = chosen_layer(run, view["layer"])
        # The epoch itself is in the link, not its place: finer snapshots may lie between whole epochs.
        early = min(float(view["early"]), float(run.epochs[-1]))
        early_epoch = float(run.epochs[np.searchsorted(run.epochs, early, side="right") - 1])
        return StructureMemory(
            layer=layer,
            first=snapshot(run, layer, float(run.epochs[0])),
            early=snapshot(run, layer, early_epoch),
            early_epoch=early_epoch,
            reader=reader_of(run.layers, layer),
        )

    def settled(self, memory: StructureMemory) -> dict[str, Any]:
        return {"layer": memory.layer.name}

    def row(self, run: Run, memory: StructureMemory, index: int, epoch: float) -> dict[str, Any]:
        layer = memory.layer
        now = snapshot(run, layer, epoch)
        row = blank(layer.units) | {"sub": about(run, layer, epoch, dead_words(layer, now.live))}
        row |= norm_rows(now.norms)
        if now.problem:
            return row | {"finding": now.problem}
        row |= frame_rows(layer, now)
        row |= self._since_init(memory, now)
        return row | self._race(run, memory, now, epoch)

    @staticmethod
    def _since_init(memory: StructureMemory, now: Snapshot) -> dict[str, Any]:
        both = now.live & memory.first.live
        if not both.any():
            return {}
        found = compare_to_init(rows_of(memory.first, both), rows_of(now, both))
        cosines = np.full(len(both), np.nan)
        cosines[both] = found.cosines
        return {"to_init": cosines, "init_said": correlation_words("r", found.correlation, found.p_value)}

    @staticmethod
    def _race(run: Run, memory: StructureMemory, now: Snapshot, epoch: float) -> dict[str, Any]:
        both = now.live & memory.early.live
        if epoch <= memory.early_epoch or not both.any():
            return {"race_said": f"begins after {epoch_text(memory.early_epoch)}"}
        outgoing = np.ones((len(both), 1))
        if memory.reader is not None:
            outgoing = outgoing_weights(run.weights(memory.reader.name, epoch), len(both))
            if not np.isfinite(outgoing).all():
                return {"race_said": f"{memory.reader.name} holds values that are no numbers"}
        found = alignment_race(rows_of(memory.early, both), rows_of(now, both), outgoing[both])
        early, strength = np.full(len(both), np.nan), np.full(len(both), np.nan)
        early[both], strength[both] = found.alignment, found.strength
        said = correlation_words("Spearman", found.spearman, found.p_value)
        return {"race_x": early, "race_y": strength, "race_said": said}

    def templates(self, run: Run, memory: StructureMemory, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        noun = units(memory.layer)[:-1]
        strength = "final norm"
        if memory.reader is not None:
            strength = f"norm in × norm out, to {memory.reader.name}"
        return {
            "figures": {
                "without": figures.without_each(theme, noun, view["measure"]),
                "norms": figures.norm_course(theme),
                "norm-ridge": figures.norm_ridges(theme),
                "to-init": figures.norm_to_init(theme, noun),
                "race": figures.race(theme, noun, epoch_text(memory.early_epoch), strength),
            },
            "texts": figures.texts(),
            "lists": {},
        }


def rows_of(one: Snapshot, which: np.ndarray) -> np.ndarray:
    """The weight vectors of some units, without a copy where these are all."""
    return one.weights if which.all() else one.weights[which]


def frame_rows(layer: LayerInfo, now: Snapshot) -> dict[str, Any]:
    """Frame potential against chance, and what each unit contributes to it."""
    pairs = now.pairs
    n, d = len(pairs.norms), pairs.fan_in
    noun, name = units(layer), layer.name
    if n == 1:
        return {
            "finding": f"{name} has one {noun[:-1]} with a direction: there are no pairs to compare.",
            "big": "–",
        }
    found = frame_summary(pairs)
    ratio, sd = found.frame_potential / found.expected, potential_sd(n, d) / found.expected
    z = (ratio - 1) / sd if sd > 0 else np.nan
    each = leave_one_out(pairs)
    return {
        "finding": _finding(layer, ratio, z),
        "big": f"{ratio:.2f} ×",
        "big_error": f"± {sd:.2f}" if sd >= 0.005 else "± less than 0.01" if sd > 0 else "",
        "z_text": f"z = {signed(z, 0 if abs(z) >= 10 else 1)}" if np.isfinite(z) else "",
        "without_fp": now.spread_out(_change(each.frame_potential, found.frame_potential)),
        "without_ip": now.spread_out(_change(each.mean_abs_inner_product, found.mean_abs_inner_product)),
        "without_raw": now.spread_out(_change(each.unnormalised, found.unnormalised)),
    }


def _change(without: np.ndarray, whole: float) -> np.ndarray:
    """In per cent of the whole."""
    return 100 * (without / whole - 1)


def potential_sd(n_units: int, fan_in: int) -> float:
    """Standard deviation of the frame potential of random directions.

    FP = N + 2 Σ_{i<j} cos²; the cosines of random directions are pairwise independent, and
    Var(cos²) = 2(d−1) / (d²(d+2)), so the variances add up.
    """
    pairs = n_units * (n_units - 1) / 2
    return float(np.sqrt(4 * pairs * 2 * (fan_in - 1) / (fan_in**2 * (fan_in + 2))))


def _finding(layer: LayerInfo, ratio: float, z: float) -> str:
    who = f"{units(layer).capitalize()} of {layer.name}"
    if not np.isfinite(z):
        return f"{who} have one input each: all of them share one line."
    if z >= CLAIM_Z and ratio >= 1 + CLAIM_SHARE:
        return f"{who} overlap {ratio:.2f} times as much as random directions do."
    if z <= -CLAIM_Z and ratio <= 1 - CLAIM_SHARE:
        return f"{who} spread out more evenly than random directions: {ratio:.2f} times their overlap."
    return f"{who} overlap as random directions do: {ratio:.2f} times their frame potential."


def norm_rows(norms: np.ndarray) -> dict[str, Any]:
    """Percentiles of the norms, and their smoothed histogram on a grid of its own."""
    rows: dict[str, Any] = {"norms": norms}
    if not np.isfinite(norms).all():
        return rows
    top = float(norms.max()) or 1.0
    grid = np.linspace(0, 1.1 * top, GRID)
    # Silverman's rule, but never narrower than two steps of the grid.
    width = max(0.9 * float(norms.std()) * len(norms) ** -0.2, 2 * float(grid[1]))
    # Mirrored at 0, where norms end.
    mirrored = np.concatenate([norms, -norms])
    density = np.exp(-0.5 * ((grid[:, None] - mirrored) / width) ** 2).sum(axis=1)
    rows["percentiles"] = np.percentile(norms, [0, 10, 25, 50, 75, 90, 100])
    return rows | {"norm_grid": grid, "norm_density": density / density.max()}


def correlation_words(name: str, value: float, p_value: float) -> str:
    if not np.isfinite(value):
        return "too few or equal values to correlate"
    shown = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
    return f"{name} = {signed(value, 2)}, {shown}"


def reader_of(layers: tuple[LayerInfo, ...], layer: LayerInfo) -> LayerInfo | None:
    """The layer that reads this one's outputs: the next one, if its fan-in can be shared out among the units."""
    names = [one.name for one in layers]
    after = layers[names.index(layer.name) + 1 :]
    return after[0] if after and after[0].fan_in % layer.units == 0 else None


def outgoing_weights(weights: np.ndarray, n_units: int) -> np.ndarray:
    """What the next layer does with each unit: (n_units, readers × positions), from (readers, n_units × positions)."""
    apart = weights.reshape(len(weights), n_units, -1)
    return np.moveaxis(apart, 1, 0).reshape(n_units, -1).astype(np.float64)


def blank(n_units: int) -> dict[str, Any]:
    """A row without anything in it, so that every row has all names."""
    nothing = np.full(n_units, np.nan)
    empty = dict.fromkeys(("finding", "big_error", "z_text", "init_said", "race_said"), "")
    arrays = dict.fromkeys(("norms", "without_fp", "without_ip", "without_raw", "to_init", "race_x", "race_y"), nothing)
    grids = dict.fromkeys(("norm_grid", "norm_density"), np.full(GRID, np.nan))
    return {"big": "–", **empty, **arrays, **grids, "percentiles": np.full(7, np.nan)}
