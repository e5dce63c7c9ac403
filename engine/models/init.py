"""Initial weights by scheme and scale."""

from collections.abc import Callable

import torch
from prunescope.engine.fields import unknown_name
from prunescope.engine.models.units import unit_modules
from torch import Tensor, nn

SCHEMES: dict[str, Callable[[Tensor], Tensor]] = {
    "glorot-normal": nn.init.xavier_normal_,
    "glorot-uniform": nn.init.xavier_uniform_,
    "kaiming-normal": lambda weight: nn.init.kaiming_normal_(weight, nonlinearity="relu"),
    "kaiming-uniform": lambda weight: nn.init.kaiming_uniform_(weight, nonlinearity="relu"),
    "orthogonal": nn.init.orthogonal_,
    # Standard deviation 1, so that the init scale is the σ of the theory.
    "normal": nn.init.normal_,
}


@torch.no_grad()
def initialise(model: nn.Module, *, scheme: str = "default", scale: float = 1.0) -> None:
    """Draw the weights of every layer with units from torch's CPU generator, in the order of the modules.

    "default" keeps what the framework drew, biases too; every other scheme starts from zero biases
    (Glorot & Bengio 2010; Frankle & Carbin 2018). Then weights and biases of these layers are
    multiplied by `scale`; BatchNorm is left alone.

    Raises
    ------
    ValueError
        For an unknown scheme.
    """
    if scheme != "default" and scheme not in SCHEMES:
        raise ValueError(f"init: {unknown_name(scheme, ['default', *SCHEMES])}")
    for module in unit_modules(model).values():
        bias = module.bias
        if scheme != "default":
            SCHEMES[scheme](module.weight)
            if bias is not None:
                bias.zero_()
        if scale != 1:
            module.weight.mul_(scale)
            if bias is not None:
                bias.mul_(scale)
