"""Pictures of a layer in the plane where PCA is not enough, drawn nearer to their end step by step.

They are computed in the evaluator's process: some take seconds, and a page that no longer wants one
stops it between two steps.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from prunescope.engine.evaluation.readings import output_correlations
from prunescope.engine.evaluation.subject import Subjects
from prunescope.engine.geometry import cosine_matrix, unit_norms

Answer = dict[str, Any]
Steps = Iterator[np.ndarray]

# A step short enough to be seen moving; t-SNE takes no fewer iterations at once.
TSNE_ITERATIONS, TSNE_STEPS = 250, 4
MDS_ITERATIONS, MDS_STEPS = 20, 8
NEIGHBOURS = 10


def _start(distances: np.ndarray) -> np.ndarray:
    """Classical scaling: the same picture whenever it is asked for, and near the end already."""
    squares = distances**2
    centred = squares - squares.mean(axis=0) - squares.mean(axis=1, keepdims=True) + squares.mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    axes = vectors[:, -2:][:, ::-1] * np.sqrt(np.maximum(values[-2:][::-1], 0))
    strongest = axes[np.abs(axes).argmax(axis=0), [0, 1]]
    return np.asarray(axes * np.where(strongest < 0, -1, 1))


def _tsne(distances: np.ndarray) -> Steps:
    from sklearn.manifold import TSNE

    start = _start(distances)
    points = (1e-4 * start / max(start[:, 0].std(), 1e-12)).astype(np.float32)
    perplexity = min(30.0, (len(distances) - 1) / 3)
    for step in range(TSNE_STEPS):
        method = TSNE(
            metric="precomputed", init=points, perplexity=perplexity, max_iter=TSNE_ITERATIONS, random_state=0,
            early_exaggeration=12.0 if step == 0 else 1.0,
        )  # fmt: skip
        points = method.fit_transform(distances)
        yield points


def _mds(distances: np.ndarray) -> Steps:
    from sklearn.manifold import smacof

    points = _start(distances)
    for _ in range(MDS_STEPS):
        points, _ = smacof(
            distances, init=points, n_init=1, max_iter=MDS_ITERATIONS, random_state=0, normalized_stress=False
        )
        yield points


def _isomap(distances: np.ndarray) -> Steps:
    from scipy.sparse.csgraph import connected_components
    from sklearn.manifold import Isomap
    from sklearn.neighbors import kneighbors_graph

    # As many neighbours as it takes for their graph to hang together: distances run along it.
    most = len(distances) - 1
    count = min(NEIGHBOURS, most)
    while count < most:
        graph = kneighbors_graph(distances, count, metric="precomputed")
        if connected_components(graph, directed=False)[0] == 1:
            break
        count = min(2 * count, most)
    yield Isomap(n_neighbors=count, metric="precomputed").fit_transform(distances)


def _spectral(distances: np.ndarray) -> Steps:
    from sklearn.manifold import SpectralEmbedding

    alike = np.exp(-np.square(distances / np.median(distances[distances > 0])))
    yield SpectralEmbedding(affinity="precomputed", random_state=0).fit_transform(alike)


METHODS: dict[str, tuple[Callable[[np.ndarray], Steps], int]] = {
    "tsne": (_tsne, TSNE_STEPS),
    "mds": (_mds, MDS_STEPS),
    "isomap": (_isomap, 1),
    "spectral": (_spectral, 1),
}


def embed(subjects: Subjects, ask: dict[str, Any]) -> Iterator[Answer]:
    """Places of a layer's units in the plane, from the angles between them.

    With ``by`` "activations", the angles whose cosines are the correlations of the units' outputs. Units of
    norm 0, or whose output never varies, have no angle and get no place (null).

    Raises
    ------
    ValueError
        If the method is unknown, or fewer than five units have a direction.
    """
    if ask["method"] not in METHODS:
        raise ValueError(f"method: {ask['method']!r} is unknown. Use one of {', '.join(METHODS)}.")
    similar, live = _alike(subjects, ask)
    if live.sum() < 5:
        raise ValueError(f"{ask['layer']}: {int(live.sum())} units with a direction are too few to embed. Take five.")
    distances = np.arccos(similar)
    if distances.max() < 1e-6:
        raise ValueError(f"{ask['layer']}: all units point one way, so there is nothing to spread out.")
    method, steps = METHODS[ask["method"]]
    for step, points in enumerate(method(distances), 1):
        full: list[list[float] | None] = [None] * len(live)
        for unit, place in zip(np.flatnonzero(live), points, strict=True):
            full[unit] = [float(place[0]), float(place[1])]
        yield {"points": full, "step": step, "steps": steps}


def _alike(subjects: Subjects, ask: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """(n_live, n_live) cosines, or correlations of outputs, and (n_units,) which units have any."""
    if ask.get("by") == "activations":
        found, _ = output_correlations(subjects, ask)
        live = ~found.constant
        return found.matrix[np.ix_(live, live)], live
    weights = subjects.store.run(ask["run"]).weights(ask["layer"], float(ask["epoch"])).astype(np.float64)
    live = unit_norms(weights) > 0
    return cosine_matrix(weights[live]) if live.any() else np.zeros((0, 0)), live
