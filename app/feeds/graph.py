"""What the cutoff slider of the similarity graph needs of one epoch: edges to draw, and counts at each of its stops."""

from typing import Any

import numpy as np
from prunescope.app.figures import similarity as figures
from prunescope.engine.geometry import (
    ComponentCurve,
    components_at,
    cutoff_inner_product,
    drawn_edges,
    edge_weight_distribution,
    largest_component,
    spanning_edges,
)

# Lines beyond these only blacken the picture; a spanning tree is always among them.
DRAWN = 3000
CUTOFFS = np.round(np.linspace(0, 1, 101), 2)
# A bin for each step of the slider, so that its counts are the histogram's.
BINS = len(CUTOFFS) - 1


def graph_rows(weights: np.ndarray, live: np.ndarray, width: float) -> dict[str, Any]:
    """What the cutoff slider needs: edges to draw, and counts at each of its stops; among live units only."""
    names = np.flatnonzero(live)
    n, pairs = len(names), len(names) * (len(names) - 1) // 2
    inside = weights if live.all() else weights[np.ix_(live, live)]
    tree = spanning_edges(inside)
    shown = drawn_edges(inside, max(DRAWN, n - 1))
    # Counted from just below, with room for the rounding of a weight that equals a stop.
    stops = CUTOFFS - figures.SAME_WEIGHT
    groups = components_at(ComponentCurve(tree.weights), stops)
    found = edge_weight_distribution(inside, width, BINS)
    whole = blank(len(live))
    return {
        "inner": inner_words(width),
        "found": [
            group_words(int(count), int(most))
            for count, most in zip(groups, largest_component(tree, stops), strict=True)
        ],
        "ends": fitted_in(whole["ends"], names[shown.pairs].ravel()),
        "edge_weights": fitted_in(whole["edge_weights"], shown.weights),
        "joins": fitted_in(whole["joins"], tree.weights),
        "groups": groups,
        "edges_all": np.round(found.reverse_cdf * pairs).astype(int),
        "edges_drawn": (shown.weights[:, None] >= stops).sum(axis=0),
        "counts": found.counts / pairs,
        "reverse_cdf": found.reverse_cdf,
        "orthogonal": found.orthogonal,
    }


def fitted_in(whole: np.ndarray, part: np.ndarray) -> np.ndarray:
    """``part`` at the beginning of a row as long as all epochs have it."""
    full = whole.astype(part.dtype)
    full[: len(part)] = part
    return full


def group_words(count: int, largest: int) -> str:
    if count == 1:
        return "hang together as one group"
    return "stand alone, each for itself" if largest == 1 else f"form {count} groups; the largest holds {largest}"


def inner_words(width: float) -> list[str]:
    """Each stop of the slider as an inner product; at 0, and below −1, any pair is joined."""
    inner = [cutoff_inner_product(float(c), width) if c > 0 else -np.inf for c in CUTOFFS]
    return ["any" if value <= -1 else f"≥ {value:.2f}".replace("-", "\N{MINUS SIGN}") for value in inner]


def blank(n_units: int) -> dict[str, Any]:
    """A row without anything in it, so that every row has all names."""
    n_pairs = n_units * (n_units - 1) // 2
    n_edges = min(max(DRAWN, n_units - 1), n_pairs)
    nothing = np.full(n_units, np.nan)
    return {
        "problem": "",
        "sub": "",
        **dict.fromkeys(("inner", "found"), [""] * len(CUTOFFS)),
        "ends": np.zeros(2 * n_edges, dtype=int),
        "edge_weights": np.full(n_edges, -1.0),
        "joins": np.full(n_units - 1, np.nan),
        **dict.fromkeys(("groups", "edges_all", "edges_drawn"), np.zeros(len(CUTOFFS), dtype=int)),
        "counts": np.full(BINS, np.nan),
        "reverse_cdf": np.full(BINS + 1, np.nan),
        "orthogonal": np.nan,
        **dict.fromkeys(("x", "y", "sizes", "norms"), nothing),
        "labels": np.zeros(n_units, dtype=int),
        "group_lines": [""] * 64,
    }
