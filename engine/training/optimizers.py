"""Optimisers by name.

The fused kernels do the whole update in one call: on the CPU, Adam on LeNet-300-100
takes less than half the time of torch's default loop over the parameters.
"""

from collections.abc import Callable, Sequence

import torch
from prunescope.engine.config import RunConfig
from torch.nn import Parameter


def _is_fused(parameters: Sequence[Parameter]) -> bool:
    return all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)


def _sgd(parameters: Sequence[Parameter], config: RunConfig) -> torch.optim.Optimizer:
    return torch.optim.SGD(
        parameters,
        lr=config.lr,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        fused=_is_fused(parameters),
    )


def _adam(parameters: Sequence[Parameter], config: RunConfig) -> torch.optim.Optimizer:
    return torch.optim.Adam(
        parameters, lr=config.lr, weight_decay=config.weight_decay, fused=_is_fused(parameters)
    )


def _adamw(parameters: Sequence[Parameter], config: RunConfig) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        parameters, lr=config.lr, weight_decay=config.weight_decay, fused=_is_fused(parameters)
    )


OPTIMIZERS: dict[str, Callable[[Sequence[Parameter], RunConfig], torch.optim.Optimizer]] = {
    "sgd": _sgd,
    "adam": _adam,
    "adamw": _adamw,
}


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Use `lr` from the next update on, in every parameter group."""
    for group in optimizer.param_groups:
        group["lr"] = lr
