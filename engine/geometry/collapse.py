"""Neural collapse: do features shrink to their class means, and the classifier to the same frame?"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from prunescope.engine.geometry._arrays import Floats, as_weights


class NeuralCollapse(NamedTuple):
    """The four measures, each falling to 0 as collapse completes.

    nc1 : tr(Σ_W Σ_B†)/C, variability inside the classes
    nc2_means, nc2_classifier : standard deviation over mean of ‖μ_c − μ_G‖ and of ‖w_c‖
    nc2_angles_means, nc2_angles_classifier : mean |cos + 1/(C−1)| over pairs of classes
    nc3 : ‖Wᵀ/‖W‖_F − M/‖M‖_F‖²_F, self-duality
    nc4 : share of examples where the nearest class mean disagrees with the classifier
    """

    nc1: float
    nc2_means: float
    nc2_classifier: float
    nc2_angles_means: float
    nc2_angles_classifier: float
    nc3: float
    nc4: float


def neural_collapse(
    features: npt.ArrayLike,
    labels: npt.ArrayLike,
    classifier: npt.ArrayLike,
    bias: npt.ArrayLike | None = None,
) -> NeuralCollapse:
    """NC1–NC4 of the last layer.

    A ratio without a denominator (features all equal, a classifier of zeros) is nan.

    Parameters
    ----------
    features : (n_examples, n_features) inputs of the last layer
    labels : (n_examples,) int in 0 … C−1, every class present
    classifier : (C, n_features) weight of the last layer, C ≥ 2
    bias : (C,), 0 if not given

    References
    ----------
    Papyan, Han & Donoho 2020, and the authors' notebook.
    """
    points, weights = as_weights(features, "features"), as_weights(classifier, "classifier")
    n_classes = len(weights)
    names = np.asarray(labels, dtype=np.int64)
    if names.shape != (len(points),) or weights.shape[1] != points.shape[1] or n_classes < 2:
        raise ValueError(
            f"features, labels, classifier: shapes {points.shape}, {names.shape}, {weights.shape}; expected "
            f"(n, p), (n,) and (C, p) with C ≥ 2."
        )
    missing = np.setdiff1d(np.arange(n_classes), names)
    if missing.size or names.min() < 0 or names.max() >= n_classes:
        raise ValueError(
            f"labels: from {names.min()} to {names.max()}, without classes {missing.tolist()}; "
            f"expected every class 0 to {n_classes - 1}. Pass more examples."
        )
    belongs = (names == np.arange(n_classes)[:, None]).astype(np.float64)
    means = belongs @ points / belongs.sum(axis=1, keepdims=True)
    # The mean of the class means, as in the notebook, so that class sizes do not matter.
    centered = means - means.mean(axis=0)
    within = points - means[names]
    logits = points @ weights.T + (0 if bias is None else np.asarray(bias, dtype=np.float64))
    distances = np.square(means).sum(axis=1) - 2 * points @ means.T
    return NeuralCollapse(
        nc1=_variability(within, centered),
        nc2_means=_spread(np.linalg.norm(centered, axis=1)),
        nc2_classifier=_spread(np.linalg.norm(weights, axis=1)),
        nc2_angles_means=_equiangularity(centered),
        nc2_angles_classifier=_equiangularity(weights),
        nc3=_duality(weights, centered),
        nc4=float((distances.argmin(axis=1) != logits.argmax(axis=1)).mean()),
    )


def _variability(within: Floats, centered_means: Floats) -> float:
    """tr(Σ_W Σ_B†)/C without p × p matrices: Σ_B has at most C − 1 directions."""
    n_classes = len(centered_means)
    _, values, directions = np.linalg.svd(centered_means, full_matrices=False)
    alive = values > 1e-10 * values[0] if values[0] > 0 else np.zeros(values.shape, dtype=bool)
    if not alive.any():
        return float("nan")
    along = np.square(within @ directions[alive].T).mean(axis=0)
    return float((along / (values[alive] ** 2 / n_classes)).sum() / n_classes)


def _spread(lengths: Floats) -> float:
    return float(lengths.std() / lengths.mean()) if lengths.any() else float("nan")


def _equiangularity(vectors: Floats) -> float:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not lengths.all():
        return float("nan")
    directions = vectors / lengths
    pairs = np.triu_indices(len(vectors), 1)
    return float(np.abs((directions @ directions.T)[pairs] + 1 / (len(vectors) - 1)).mean())


def _duality(weights: Floats, centered_means: Floats) -> float:
    scales = np.linalg.norm(weights), np.linalg.norm(centered_means)
    if not all(scales):
        return float("nan")
    return float(np.square(weights / scales[0] - centered_means / scales[1]).sum())
