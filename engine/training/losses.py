"""Losses by name, and what counts as a correct answer under each."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from prunescope.engine.config import RunConfig
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What a run minimises, and how its answers are judged.

    Attributes
    ----------
    loss : (outputs, targets) → scalar; outputs (n, classes) or one output an example
    correct : (outputs, targets) → (n,) booleans
    """

    loss: Callable[[Tensor, Tensor], Tensor]
    correct: Callable[[Tensor, Tensor], Tensor]


def net_output(outputs: Tensor) -> Tensor:
    """N(x) of a two-class net, (n,): its one output, or the second logit less the first."""
    if outputs.ndim == 2 and outputs.shape[1] == 2:
        return outputs[:, 1] - outputs[:, 0]
    return outputs.reshape(len(outputs))


def margin_loss(outputs: Tensor, targets: Tensor, margin: float) -> Tensor:
    """Hinge loss of the XORD experiments: mean₊ max(0, γ−N) + mean₋ max(0, 1+N).

    Each class has its own mean, so the classes weigh the same however rare one is. A
    class that a batch lacks contributes 0.

    References
    ----------
    Brutzkus & Globerson 2019, arXiv 1810.03037.
    """
    output = net_output(outputs)
    positive = targets == 1
    hinge = torch.where(positive, margin - output, 1 + output).clamp(min=0)
    n_positive = positive.sum()
    n_negative = len(targets) - n_positive
    weights = torch.where(positive, 1 / n_positive.clamp(min=1), 1 / n_negative.clamp(min=1))
    return (hinge * weights).sum()


def objective(config: RunConfig) -> Objective:
    """The objective that a config asks for."""
    if config.loss_name == "margin":
        return Objective(
            loss=lambda outputs, targets: margin_loss(outputs, targets, config.margin),
            correct=lambda outputs, targets: (net_output(outputs) > 0) == (targets == 1),
        )
    return Objective(
        loss=functional.cross_entropy, correct=lambda outputs, targets: outputs.argmax(1) == targets
    )
