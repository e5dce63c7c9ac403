"""A traced network cut where removed units are stopped: what comes before is computed once.

Nothing before a stop depends on which units are removed, so `Program.before` computes those values once
for a batch and `Program.after` re-runs the rest for each mask.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from prunescope.engine.pruning.errors import PruningError
from prunescope.engine.pruning.flow import Network, Read
from torch import Tensor, fx, nn

Values = dict[fx.Node, Any]


@dataclass(frozen=True, kw_only=True)
class Program:
    """A network cut at some of its readers. Build it with `cut`.

    Attributes
    ----------
    stops : the readers where units may be stopped
    first, rest : graph nodes to run once, and to run again for every mask
    live : values of `first` (and the network's input) that `rest` needs
    """

    network: Network
    stops: tuple[Read, ...]
    first: tuple[fx.Node, ...]
    rest: tuple[fx.Node, ...]
    live: frozenset[fx.Node]
    last_use: Mapping[fx.Node, fx.Node]
    modules: Mapping[str, nn.Module]

    @property
    def device(self) -> torch.device:
        return next((p.device for p in self.network.module.parameters()), torch.device("cpu"))

    def before(self, inputs: Tensor) -> Values:
        """The live values of a batch."""
        values: Values = {}
        for node in self.first:
            values[node] = inputs if node.op == "placeholder" else self.call(node, values)
            for used in node.all_input_nodes:
                # Freed at its last use, so that memory does not grow with depth.
                if self.last_use[used] is node and used not in self.live:
                    del values[used]
        return {node: values[node] for node in self.live}

    def before_in_parts(self, inputs: Tensor, part: int) -> Values:
        """`before`, some examples at a time where that is possible: their values then stay in a cache."""
        (kept,) = self.live if len(self.live) == 1 else (None,)
        if kept is None or kept.op == "placeholder" or part >= len(inputs):
            return self.before(inputs)
        parts = [self.before(piece)[kept] for piece in inputs.split(part)]
        whole = all(isinstance(p, Tensor) and p.ndim for p in parts)
        return {kept: torch.cat(parts)} if whole else self.before(inputs)

    def after(self, values: Values, masks: Mapping[fx.Node, Tensor]) -> Tensor:
        """The network's output (examples, classes) for one mask.

        Parameters
        ----------
        values : from `before`; a node of `rest` that is there already is not run
        masks : reader -> indices of the channels stopped at its input
        """
        return self.value(self.rest[-1], values, masks)

    def value(self, wanted: fx.Node, values: Values, masks: Mapping[fx.Node, Tensor]) -> Any:
        """The value of one node of `rest`; as `after` otherwise."""
        values = dict(values)
        for node in self.rest:
            if node.op == "output":
                return _logits(values[node.args[0]] if isinstance(node.args[0], fx.Node) else None)
            if node not in values:
                given = values
                if node in masks:
                    source = node.all_input_nodes[0]
                    given = {**values, source: self.stop(node, values[source], masks[node])}
                values[node] = self.call(node, given)
                for used in node.all_input_nodes:
                    if self.last_use[used] is node:
                        del values[used]
            if node is wanted:
                break
        return values[wanted]

    def stop(self, node: fx.Node, value: Tensor, channels: Tensor) -> Tensor:
        """A reader's input without some channels."""
        return value.index_fill(self.axis(node), channels, 0) if len(channels) else value

    def axis(self, node: fx.Node) -> int:
        return next(read.axis for read in self.stops if read.node is node)

    def call(self, node: fx.Node, values: Values) -> Any:
        """The value of one node."""
        args, kwargs = fx.map_arg((node.args, node.kwargs), values.__getitem__)
        if node.op == "call_module":
            return self.modules[node.target](*args, **kwargs)
        if node.op == "call_function":
            return node.target(*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], node.target)(*args[1:], **kwargs)
        if node.op == "get_attr":
            value: Any = self.network.module
            for part in node.target.split("."):
                value = getattr(value, part)
            return value
        raise AssertionError(f"unexpected node {node.op}")


def cut(network: Network, stops: Iterable[fx.Node]) -> Program:
    """Cut a network at readers: these, and what depends on them, run again for every mask."""
    stopped = set(stops)
    return _program(network, stopped, stopped)


def behind(network: Network, node: fx.Node) -> Program | None:
    """What follows one value, as a program that needs nothing else; None if it needs more."""
    program = _program(network, set(node.users), set())
    return program if program.live == {node} else None


def _program(network: Network, starts: set[fx.Node], stopped: set[fx.Node]) -> Program:
    again: set[fx.Node] = set()
    for node in network.module.graph.nodes:
        if node in starts or node.op == "output" or any(n in again for n in node.all_input_nodes):
            again.add(node)
    rest = [node for node in network.module.graph.nodes if node in again]
    live = {n for node in rest for n in node.all_input_nodes if n not in again}
    needed = set(live)
    first = []
    for node in reversed(network.module.graph.nodes):
        if node in needed and node not in again:
            first.append(node)
            needed.update(node.all_input_nodes)
    first.reverse()
    return Program(
        network=network,
        stops=tuple(read for read in network.reads if read.node in stopped),
        first=tuple(first),
        rest=tuple(rest),
        live=frozenset(live),
        last_use={used: node for node in network.module.graph.nodes for used in node.all_input_nodes},
        modules=dict(network.module.named_modules()),
    )


def _logits(value: Any) -> Tensor:
    if not isinstance(value, Tensor) or value.ndim != 2:
        shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
        raise PruningError(f"the network's output is {shape}: accuracy needs logits (examples, classes).")
    return value


def as_index(channels: np.ndarray, device: torch.device) -> Tensor:
    """Channel numbers as torch wants them for indexing."""
    return torch.as_tensor(np.array(channels, dtype=np.int64), device=device)


class Footprint(NamedTuple):
    """What an example needs, about, and what the network makes of it.

    passing : bytes while it passes through the network: what is live, and a few of the largest values
    live : bytes kept of it before the readers
    shapes : node -> shape of its value without the examples, for every node whose value is a tensor
    classes : number of logits
    """

    passing: int
    live: int
    shapes: dict[fx.Node, torch.Size]
    classes: int


def footprint(program: Program, inputs: Tensor) -> Footprint:
    """What an example needs, from the first.

    Raises PruningError if the network cannot read these inputs, with the network's own words, or if its
    output is no row of logits.
    """
    one = inputs[:1].to(program.device)
    live = largest = 0
    values: Values = {}
    shapes: dict[fx.Node, torch.Size] = {}
    logits: Any = None
    for node in program.network.module.graph.nodes:
        if node.op == "output":
            logits = values[node.args[0]] if isinstance(node.args[0], fx.Node) else None
            break
        try:
            values[node] = one if node.op == "placeholder" else program.call(node, values)
        except (RuntimeError, ValueError, IndexError) as error:
            raise PruningError(
                f"inputs of shape {tuple(inputs.shape)} do not fit the network: {node.name!r} says {error}. "
                "Pass (examples, …) as in training."
            ) from error
        if isinstance(values[node], Tensor):
            shapes[node] = values[node].shape[1:]
            largest = max(largest, values[node].nbytes)
            live += values[node].nbytes if node in program.live else 0
        for used in node.all_input_nodes:
            if program.last_use[used] is node:
                del values[used]
    return Footprint(passing=live + 4 * largest, live=live, shapes=shapes, classes=_logits(logits).shape[1])


def upto(network: Network, *nodes: fx.Node) -> Program:
    """A program whose `before` gives the values of these nodes; of the whole network, ready for `after`, if none."""
    whole = cut(network, [])
    if not nodes:
        return whole
    needed = set(nodes)
    for at in reversed(network.module.graph.nodes):
        if at in needed:
            needed.update(at.all_input_nodes)
    first = tuple(n for n in network.module.graph.nodes if n in needed)
    return replace(whole, first=first, rest=(), live=frozenset(nodes))
