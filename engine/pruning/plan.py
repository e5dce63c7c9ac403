"""Which channels each step of a removal order stops, and where."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from prunescope.engine.pruning.errors import PruningError
from prunescope.engine.pruning.flow import Network, check_units
from prunescope.engine.pruning.program import Program, as_index, cut
from torch import Tensor, fx

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """An order of removal, resolved to channels at the network's readers.

    Attributes
    ----------
    levels : (n_levels,) how many units are removed, rising
    channels : reader -> channels in the order in which they are stopped
    offsets : reader -> (steps + 1,) where each step's channels start; step i is the i-th removed unit
    group : layer -> units removed with the whole order, coupled ones included
    """

    program: Program
    levels: Ints
    channels: dict[fx.Node, Ints]
    offsets: dict[fx.Node, Ints]
    group: dict[str, tuple[int, ...]]

    def between(self, node: fx.Node, low: int, high: int) -> Ints:
        """Channels stopped at a reader by steps low … high − 1, rising."""
        start, end = self.offsets[node][[low, high]]
        return np.sort(self.channels[node][start:end])

    def is_stopped(self, node: fx.Node, count: int, low: int, high: int) -> Tensor:
        """(count,) whether each of a reader's channels is stopped by steps low … high − 1."""
        stopped = torch.zeros(count, dtype=torch.bool)
        stopped[self.between(node, low, high)] = True
        return stopped.to(self.program.device)

    def masks(self, low: int, high: int) -> dict[fx.Node, Tensor]:
        """Reader -> channels stopped by steps low … high − 1."""
        device = self.program.device
        return {node: as_index(self.between(node, low, high), device) for node in self.channels}


def make_plan(
    network: Network, order: Sequence[tuple[str, int]], levels: Sequence[int] | Ints | None = None
) -> Plan:
    """Resolve an order of (layer, unit). Raises PruningError for strangers, repeats and blocked units."""
    by_layer: dict[str, list[int]] = {}
    for layer, unit in order:
        by_layer.setdefault(layer, []).append(unit)
    ids_of = {layer: network.unit_ids(layer) for layer in by_layer}
    for layer, units in by_layer.items():
        check_units(layer, units, len(ids_of[layer]))
    # A coupled group goes with the first of its units; its later ones remove nothing more.
    step_of: dict[int, int] = {}
    for step, (layer, unit) in enumerate(order):
        step_of.setdefault(int(ids_of[layer][unit]), step)
    steps = np.full(len(network.table), len(order), dtype=np.int64)
    steps[list(step_of)] = list(step_of.values())

    channels: dict[fx.Node, Ints] = {}
    offsets: dict[fx.Node, Ints] = {}
    for read in network.reads:
        when = steps[network.roots(read.ids)]
        if (when < len(order)).any():
            by_step = np.argsort(when, kind="stable")
            offsets[read.node] = np.searchsorted(when[by_step], np.arange(len(order) + 1))
            channels[read.node] = by_step[: offsets[read.node][-1]]
    return Plan(
        program=cut(network, channels),
        levels=_levels(levels, len(order)),
        channels=channels,
        offsets=offsets,
        group=network.removal(by_layer).group,
    )


def _levels(levels: Sequence[int] | Ints | None, steps: int) -> Ints:
    if levels is None:
        return np.arange(steps + 1)
    wanted = np.asarray(levels)
    if wanted.ndim != 1 or not len(wanted) or wanted.dtype.kind not in "iu":
        raise PruningError(f"levels: want whole numbers of removed units, got {levels!r}.")
    if wanted.min() < 0 or wanted.max() > steps:
        raise PruningError(
            f"levels: {wanted.min()} to {wanted.max()}, but the order removes 0 to {steps} units."
        )
    return np.unique(wanted).astype(np.int64)
