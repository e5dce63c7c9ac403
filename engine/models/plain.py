"""The small nets: fully connected ones, the alignment experiment's, and XORD's."""

import torch
from prunescope.engine.models.shape import Shape, Stack
from torch import Tensor, nn


def lenet_300_100(shape: Shape) -> nn.Module:
    """300, 100, classes. LeCun et al. 1998; 266,200 weights on 28×28 (Frankle & Carbin 2018, Fig. 2)."""
    return _fully_connected(shape, (300, 100))


def mlp(shape: Shape) -> nn.Module:
    """Hidden layers of the asked widths, ReLU between them."""
    return _fully_connected(shape, shape.hidden)


def _fully_connected(shape: Shape, hidden: tuple[int, ...]) -> nn.Module:
    stack = Stack(shape)
    for units in hidden:
        stack.linear(shape.scaled(units))
    stack.linear(shape.n_classes, relu=False)
    return stack.model()


def channels(shape: Shape) -> nn.Module:
    """Convolution 3×3, max-pool, linear: filters small enough to see, and 9 numbers each on grey images.

    References
    ----------
    Brutzkus & Globerson 2019 (arXiv 1810.03037), the experiment on images.
    """
    stack = Stack(shape)
    stack.conv(shape.scaled(shape.hidden[0]), padding=0)
    stack.pool()
    stack.linear(shape.n_classes, relu=False)
    return stack.model()


class XordNet(nn.Module):
    """N(x) = Σ max_j σ(w_i·x_j) − Σ max_j σ(u_i·x_j); only w and u are trained.

    The two logits are (0, N), so that the larger one is the sign of N, and cross-entropy, accuracy and
    the margin loss (N is the difference) read the same outputs. N = 0 counts as negative.

    References
    ----------
    Brutzkus & Globerson 2019 (arXiv 1810.03037), the XORD problem.
    """

    def __init__(self, n_pairs_of_neurons: int) -> None:
        super().__init__()
        self.w = nn.Linear(2, n_pairs_of_neurons, bias=False)
        self.u = nn.Linear(2, n_pairs_of_neurons, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:  # (batch, pairs, 2) → (batch, 2)
        for_it = self.w(inputs).relu().amax(dim=1).sum(dim=1)
        against_it = self.u(inputs).relu().amax(dim=1).sum(dim=1)
        score = for_it - against_it
        return torch.stack([torch.zeros_like(score), score], dim=1)


def xord_net(shape: Shape) -> nn.Module:
    """k neurons for and k against; `hidden` is (k,)."""
    return XordNet(shape.scaled(shape.hidden[0]))
