"""XORD, the task on which alignment can be proved, for thousands of networks at once.

A network with 2k neurons reads pairs in {±1}² and answers
N(x) = Σ_i max_j σ(w_i·x_j) − Σ_i max_j σ(u_i·x_j); the label is + if some pair has equal entries.
On a diverse training set every positive point holds all four patterns and every negative one both
p2 and p4, so all points of a label give the same gradient and one of each is the whole set.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

# p1 … p4, once round the circle. Positive patterns have equal entries.
PATTERNS = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]], dtype=np.float64)
_POSITIVE, _NEGATIVE = [0, 1, 2, 3], [1, 3]


@dataclass(frozen=True, kw_only=True)
class XordConfig:
    """Settings of the theory: Brutzkus & Globerson 2019, the sections on XORD."""

    n_nets: int = 100
    k: int = 2  # neurons of each sign
    margin: float = 8.0  # γ of the positive loss
    step: float = 1 / 50  # c_η; the learning rate is c_η / k
    max_steps: int = 3000
    seed: int = 0


class XordNets(NamedTuple):
    """Trained networks.

    w, u : (n_nets, k, 2) neurons with positive and negative output weight
    initial_w, initial_u : the same at the start
    converged : (n_nets,) bool, training loss exactly 0
    errors : (n_nets, 15) bool, wrong on the points that hold exactly this set of patterns
    """

    w: Floats
    u: Floats
    initial_w: Floats
    initial_u: Floats
    converged: npt.NDArray[np.bool_]
    errors: npt.NDArray[np.bool_]


def simulate(config: XordConfig) -> XordNets:
    """Train `n_nets` networks by gradient descent on mean₊ max(0, γ−N) + mean₋ max(0, 1+N).

    Stops when every network has loss 0, or after `max_steps`.
    """
    rng = np.random.default_rng(config.seed)
    shape = (config.n_nets, config.k, 2)
    sd = config.step / (16 * config.k**1.5)
    w, u = sd * rng.standard_normal(shape), sd * rng.standard_normal(shape)
    initial_w, initial_u = w.copy(), u.copy()
    rate = config.step / config.k
    converged = np.zeros(config.n_nets, dtype=bool)
    for step in range(config.max_steps + 1):
        todo = np.flatnonzero(~converged)
        on_positives, by_positives = _output_and_gradient(w[todo], u[todo], _POSITIVE)
        on_negatives, by_negatives = _output_and_gradient(w[todo], u[todo], _NEGATIVE)
        rising = on_positives < config.margin
        falling = on_negatives > -1
        converged[todo] = ~rising & ~falling
        if converged.all() or step == config.max_steps:
            break
        for neurons, on_positive, on_negative in zip((w, u), by_positives, by_negatives, strict=True):
            descent = rising[:, None, None] * on_positive - falling[:, None, None] * on_negative
            neurons[todo] += rate * descent
    return XordNets(w, u, initial_w, initial_u, converged, _errors(w, u))


def pattern_angles(neurons: Floats) -> Floats:
    """Angle of each neuron to the nearest pattern: (n_nets, k) degrees in [0, 45]."""
    turned = np.degrees(np.arctan2(neurons[..., 1], neurons[..., 0])) - 45
    return np.abs((turned + 45) % 90 - 45)


def pattern_groups(neurons: Floats) -> npt.NDArray[np.int64]:
    """The pattern that each neuron answers most strongly: (n_nets, k) int in 0 … 3."""
    return (neurons @ PATTERNS.T).argmax(axis=-1)


def _output_and_gradient(w: Floats, u: Floats, patterns: list[int]) -> tuple[Floats, tuple[Floats, Floats]]:
    """N on a point that holds these patterns, (n_nets,), and its gradients by w and by u."""
    total, gradients = np.zeros(len(w)), []
    for sign, neurons in ((1, w), (-1, u)):
        responses = neurons @ PATTERNS[patterns].T
        strongest = responses.argmax(axis=-1)
        height = responses.max(axis=-1)
        total += sign * np.maximum(height, 0).sum(axis=1)
        gradients.append(sign * (height > 0)[..., None] * PATTERNS[patterns][strongest])
    return total, (gradients[0], gradients[1])


def _errors(w: Floats, u: Floats) -> npt.NDArray[np.bool_]:
    """The exact test error: every non-empty set of patterns that a point can hold."""
    sets = [[j for j in range(4) if code >> j & 1] for code in range(1, 16)]
    wrong = []
    for patterns in sets:
        output, _ = _output_and_gradient(w, u, patterns)
        positive = 0 in patterns or 2 in patterns
        wrong.append(output <= 0 if positive else output >= 0)
    return np.stack(wrong, axis=1)
