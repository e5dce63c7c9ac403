"""How much smaller a network gets when units are removed: parameters, multiply-adds, latency."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from prunescope.engine.pruning.errors import PruningError
from prunescope.engine.pruning.flow import CONVS
from prunescope.engine.pruning.removal import Units, group_of, remove
from torch import Tensor, nn

_DENSE = (nn.Linear, *CONVS)
_WARM_UP = 3


@dataclass(frozen=True, kw_only=True)
class Size:
    """One network's size.

    Attributes
    ----------
    parameters : numbers that training may change
    macs : multiply-adds of linear and convolutional layers for one example
    units : of all linear and convolutional layers, the output's included
    latency : seconds a batch of one takes here, median; None unless asked for
    """

    parameters: int
    macs: int
    units: int
    latency: float | None = None


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """A network before and after the physical removal of units, as the field reports it."""

    before: Size
    after: Size
    group: dict[str, tuple[int, ...]]

    @property
    def compression(self) -> float:
        """Parameters before / after."""
        return self.before.parameters / self.after.parameters

    @property
    def speed_up(self) -> float:
        """Multiply-adds before / after: the theoretical speed-up."""
        return self.before.macs / max(1, self.after.macs)

    @property
    def sparsity(self) -> float:
        """Share of units removed."""
        return 1 - self.after.units / self.before.units


def summary(
    model: nn.Module,
    removed: Mapping[str, Units],
    input_shape: Sequence[int],
    *,
    latency_runs: int = 0,
) -> Sizes:
    """Sizes before and after physically removing {layer: units}; a mask alone would change none of them.

    Parameters
    ----------
    input_shape : shape of one example
    latency_runs : passes to time each network with; 0 measures none

    Raises
    ------
    PruningError
        As `remove` does, or if the shape does not fit the network.
    """
    smaller = remove(model, removed, input_shape=input_shape)
    return Sizes(
        before=measure_size(model, input_shape, latency_runs=latency_runs),
        after=measure_size(smaller, input_shape, latency_runs=latency_runs),
        group=group_of(model, removed, input_shape=input_shape),
    )


def measure_size(model: nn.Module, input_shape: Sequence[int], *, latency_runs: int = 0) -> Size:
    """A network's size; multiply-adds are counted in one forward pass of one example."""
    first = next(model.parameters(), torch.zeros(0))
    example = torch.zeros(1, *input_shape, dtype=first.dtype, device=first.device)
    macs = 0

    def count(module: nn.Module, _: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal macs
        # Each output number is a dot product over one row of the weight.
        macs += output.numel() * module.weight[0].numel()

    layers = [module for module in model.modules() if isinstance(module, _DENSE)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    was_training = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.inference_mode():
            model(example)
            for handle in handles:
                handle.remove()
            latency = _median_seconds(model, example, latency_runs) if latency_runs else None
    except RuntimeError as error:
        raise PruningError(f"input_shape {tuple(input_shape)} does not fit the network: {error}") from error
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in was_training.items():
            module.training = mode
    return Size(
        parameters=sum(p.numel() for p in model.parameters()),
        macs=macs,
        units=sum(layer.weight.shape[0] for layer in layers),
        latency=latency,
    )


def _median_seconds(model: nn.Module, example: Tensor, runs: int) -> float:
    seconds = []
    for i in range(runs + _WARM_UP):
        start = time.perf_counter()
        model(example)
        if example.device.type == "cuda":
            torch.cuda.synchronize(example.device)
        if i >= _WARM_UP:
            seconds.append(time.perf_counter() - start)
    return sorted(seconds)[len(seconds) // 2]
