"""How many directions does a layer use? Singular values, noise, reconstruction, and the subspace left by training."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from prunescope.app.feeds.layers import Snapshot, about, fitted_epoch, snapshot
from prunescope.app.feeds.structure import correlation_words
from prunescope.app.feeds.words import chosen_layer, epoch_text, units
from prunescope.app.figures import spectrum as figures
from prunescope.engine.geometry import (
    Pairs,
    effective_rank,
    marchenko_pastur,
    reconstruction_error,
    singular_values,
    split_values,
    stable_rank,
    subspace_residuals,
    top_norm_statistics,
    trained_subspace,
)
from prunescope.engine.store import LayerInfo, Run

BINS = 28
# Points between two bin edges at which the law of noise is summed up.
FINE = 12
MEASURES = ("similarity", "residual", "subspace_similarity")


@dataclass
class SpectrumMemory:
    layer: LayerInfo
    fitted: float
    final: Snapshot
    selected: np.ndarray
    cutoff: float
    subspace: np.ndarray | None
    first_rank: float


class SpectrumFeed:
    """One layer's spectrum, epoch by epoch; what is called trained is the epoch of the fit."""

    ahead = True
    keys = ("layer", "fit", "rank", "cutoff")

    def begin(self, run: Run, view: dict[str, Any]) -> SpectrumMemory:
        layer = chosen_layer(run, view["layer"])
        fitted = fitted_epoch(run, view)
        final = snapshot(run, layer, fitted)
        cutoff = float(np.percentile(final.norms, view["cutoff"])) if not final.problem else np.nan
        rank = min(int(view["rank"]), layer.units, layer.fan_in)
        return SpectrumMemory(
            layer=layer,
            fitted=fitted,
            final=final,
            selected=final.norms > cutoff if not final.problem else np.zeros(layer.units, dtype=bool),
            cutoff=cutoff,
            subspace=None if final.problem else trained_subspace(final.weights, rank),
            first_rank=np.nan,
        )

    def settled(self, memory: SpectrumMemory) -> dict[str, Any]:
        return {"layer": memory.layer.name, "fit": memory.fitted}

    def row(self, run: Run, memory: SpectrumMemory, index: int, epoch: float) -> dict[str, Any]:
        layer = memory.layer
        now = snapshot(run, layer, epoch)
        row = blank(layer, memory.selected) | {"sub": about(run, layer, epoch)}
        if now.problem:
            return row | {"finding": now.problem}
        values = singular_values(gram_of(now))
        found = reconstruction_error(values)
        lost = found.errors / found.errors[0]
        rank, full = effective_rank(values), len(values)
        if index == 0:
            memory.first_rank = rank
        noise = noise_rows(values, layer.units, layer.fan_in)
        row |= noise | {
            "values": values,
            "rank": rank,
            "stable": stable_rank(values),
            "left": lost,
            "knee": float(found.knee),
            "knee_x": np.array([float(found.knee)]),
            "knee_y": lost[[found.knee]],
            "label_knee": f"knee k = {found.knee}, r = {full}",
            "label_rank": f"effective rank {rank:.1f}",
            "label_stable": f"stable rank {stable_rank(values):.1f}",
            "label_now": epoch_text(epoch),
            "finding": _finding(layer, rank, full, memory.first_rank, int(noise["above"]), epoch),
            "big": f"{rank:.1f}",
            "big_error": f"of {full}",
            "knee_text": f"k = {found.knee}",
        }
        row |= self._split(memory, now)
        return row | self._trained(memory, now)

    @staticmethod
    def _split(memory: SpectrumMemory, now: Snapshot) -> dict[str, Any]:
        rows = {}
        for name, which in (("selected", memory.selected), ("others", ~memory.selected)):
            if which.any():
                rows[name] = split_values(gram_of(now), which)
        return rows

    @staticmethod
    def _trained(memory: SpectrumMemory, now: Snapshot) -> dict[str, Any]:
        """Distance to the subspace of the fitted epoch, and what the units of largest norm have in common."""
        if memory.subspace is None:
            return {}
        residuals = subspace_residuals(now.weights[None], memory.subspace)[0]
        rows: dict[str, Any] = {}
        for name, which in (("selected", memory.selected), ("others", ~memory.selected)):
            known = residuals[which & now.live]
            if len(known):
                rows[f"residual_{name}"] = np.percentile(known, [25, 50, 75])
        n_top = min(int(memory.selected.sum()), int(now.live.sum()))
        if n_top < 2:
            return rows | {"top_said": ["fewer than two units above the cutoff"] * len(MEASURES)}
        try:
            top = top_norm_statistics(now.weights, memory.subspace, n_top)
        except ValueError:
            # A unit at right angles to the subspace has no direction in it.
            return rows | {"top_said": ["a unit lies wholly outside the subspace"] * len(MEASURES)}
        norms = np.full(len(now.live), np.nan)
        norms[top.units] = top.norms
        rows["top_norm"] = norms
        for name in MEASURES:
            values = np.full(len(now.live), np.nan)
            values[top.units] = getattr(top, name)
            rows[f"top_{name}"] = values
        return rows | {"top_said": [correlation_words("r", *top.correlations[name]) for name in MEASURES]}

    def templates(self, run: Run, memory: SpectrumMemory, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        layer = memory.layer
        count = int(memory.selected.sum())
        above = f"{count} above the cutoff" if count else "none above the cutoff"
        below = f"{layer.units - count} below"
        rank = 0 if memory.subspace is None else len(memory.subspace)
        chance = float(np.sqrt(1 - rank / layer.fan_in))
        return {
            "figures": {
                "scree": figures.scree(theme),
                "density": figures.density(theme),
                "ranks": figures.ranks(theme, min(layer.units, layer.fan_in)),
                "rebuilt": figures.reconstruction(theme),
                "split": figures.split(theme, above, below),
                "residuals": figures.residuals(theme, above, below, chance, epoch_text(memory.fitted)),
                "top": figures.top_norms(theme, units(layer)[:-1], view["top"], MEASURES.index(view["top"])),
            },
            "texts": figures.texts(),
            "lists": {},
        }


def gram_of(now: Snapshot) -> Pairs | np.ndarray:
    """What singular values are taken from: the products of units where they are fewer than the inputs."""
    return now.all_pairs if len(now.norms) <= now.weights.shape[1] else now.weights


def noise_rows(values: np.ndarray, n_units: int, fan_in: int) -> dict[str, Any]:
    """Histogram of the eigenvalues s², and how many Marchenko and Pastur expect in each bar.

    Bars are equally wide on a logarithmic axis: few large eigenvalues would press all others into one.
    """
    eigenvalues = values**2
    scale = float(np.sqrt(eigenvalues.sum() / (n_units * fan_in)))
    law = marchenko_pastur(eigenvalues, n_units, fan_in, scale)
    top = 1.2 * max(float(eigenvalues[0]), law.upper)
    # What is exactly 0 by rounding has no place on the axis; four decades below the largest are shown.
    alive = eigenvalues[eigenvalues > 1e-4 * top]
    low = 0.8 * min(float(alive[-1]), max(law.lower, 1e-4 * top))
    edges = np.geomspace(low, top, BINS + 1)
    counts = np.histogram(alive, edges)[0].astype(float)
    fine = np.geomspace(low, top, BINS * FINE + 1)
    middles = (fine[1:] + fine[:-1]) / 2
    shares = marchenko_pastur(middles, n_units, fan_in, scale).density * np.diff(fine)
    expected = len(values) * shares.reshape(BINS, FINE).sum(axis=1)
    above = int((eigenvalues > law.upper).sum())
    below = len(values) - len(alive)
    return {
        "esd_x": (edges[1:] + edges[:-1]) / 2,
        "esd_width": np.diff(edges),
        "esd": counts,
        "esd_noise": expected,
        "edge": float(np.sqrt(law.upper)),
        "above": above,
        "label_above": f"{above} above the noise edge",
        "label_below": f"{below} of nearly 0 not shown" if below else "",
    }


def _finding(layer: LayerInfo, rank: float, full: int, first: float, above: int, epoch: float) -> str:
    if not np.isfinite(rank):
        return f"{layer.name} has no weight at all: every singular value is 0."
    noun = "direction" if full == 1 else "directions"
    told = f"{layer.name} spends its weight on {rank:.0f} of {full} {noun}"
    if epoch > 0 and np.isfinite(first):
        told += f", {first:.0f} before training"
    rise = "one rises" if above == 1 else f"{above} rise"
    return f"{told}; {rise} above noise." if above else f"{told}; none rises above noise."


def blank(layer: LayerInfo, selected: np.ndarray) -> dict[str, Any]:
    """A row without anything in it, so that every row has all names."""
    full, count = min(layer.units, layer.fan_in), int(selected.sum())

    def gap(size: int) -> np.ndarray:
        return np.full(size, np.nan)

    labels = ("label_knee", "label_rank", "label_stable", "label_now", "label_above", "label_below")
    return {
        **dict.fromkeys((*labels, "finding", "big_error", "knee_text"), ""),
        **dict.fromkeys(("rank", "stable", "knee", "edge"), np.nan),
        **dict.fromkeys(("top_norm", *(f"top_{name}" for name in MEASURES)), gap(layer.units)),
        **dict.fromkeys(("esd_x", "esd_width", "esd", "esd_noise"), gap(BINS)),
        **dict.fromkeys(("residual_selected", "residual_others"), gap(3)),
        **dict.fromkeys(("knee_x", "knee_y"), gap(1)),
        "big": "–",
        "above": 0,
        "values": gap(full),
        "left": gap(full + 1),
        "selected": gap(min(count, layer.fan_in)),
        "others": gap(min(layer.units - count, layer.fan_in)),
        "top_said": [""] * len(MEASURES),
    }
