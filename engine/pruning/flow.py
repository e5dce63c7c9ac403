"""Where each unit's output goes: the channels of a traced network, followed to the layers that read them.

Removing a unit means that nothing of it reaches the next layer. To do that exactly one has to know, for
every input channel of every layer, which units feed it. `trace` finds out by walking the graph of
torch.fx once: a dense layer starts fresh channels, channelwise operations hand theirs on, an elementwise
sum *couples* its operands' channels (they can only be removed together), a concatenation lays them side
by side. An operation that is not known to keep channels apart blocks what enters it, with the reason, so
that a question about such a unit is refused rather than answered wrongly.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from prunescope.engine.pruning.errors import PruningError, unknown
from prunescope.engine.pruning.in_place import write_out_of_place
from torch import fx, nn

CONVS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass(kw_only=True)
class Read:
    """Something that reads channels and mixes them: the place where a removed unit is stopped."""

    node: fx.Node
    layer: str | None  # None: a sum over units written in the forward
    kind: str  # "linear" | "conv" | "sum"
    axis: int  # of the channels in the value read
    ids: np.ndarray  # (input features or channels,)


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What removing some units means for the whole network.

    Attributes
    ----------
    stops : graph node -> sorted channels that are stopped at its input
    inputs : the same by layer, for those stops that are layers
    outputs : layer -> sorted units that go: the asked ones and those summed with them (the *group*)
    passing : BatchNorm, depthwise and PReLU layers on the way -> sorted channels that go
    rigid : reasons why physical deletion is impossible although masking is exact
    """

    stops: dict[fx.Node, np.ndarray]
    inputs: dict[str, np.ndarray]
    outputs: dict[str, np.ndarray]
    passing: dict[str, np.ndarray]
    rigid: tuple[str, ...]

    @property
    def group(self) -> dict[str, tuple[int, ...]]:
        """Layer -> the units that are removed together."""
        return {name: tuple(units.tolist()) for name, units in self.outputs.items()}


@dataclass(kw_only=True)
class Network:
    """A traced evaluation-mode copy of a model, with its channels. Build it with `trace`."""

    module: fx.GraphModule
    reads: list[Read] = field(default_factory=list)
    writes: dict[str, np.ndarray] = field(default_factory=dict)  # dense layer -> id of each unit
    passing: dict[str, np.ndarray] = field(default_factory=dict)  # depthwise, BatchNorm, PReLU
    owners: dict[str, np.ndarray] = field(default_factory=dict)  # layer with units -> id of each
    parents: list[int] = field(default_factory=list)
    table: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    blocked: dict[int, str] = field(default_factory=dict)
    rigid: dict[int, str] = field(default_factory=dict)

    # --- the union-find under the channels ------------------------------------------------------------
    def fresh(self, count: int) -> np.ndarray:
        start = len(self.parents)
        self.parents.extend(range(start, start + count))
        return np.arange(start, start + count)

    def root(self, i: int) -> int:
        while self.parents[i] != i:
            self.parents[i] = self.parents[self.parents[i]]
            i = self.parents[i]
        return i

    def seal(self) -> None:
        """Flatten the trees once; afterwards a lookup is one array read."""
        self.table = np.array([self.root(i) for i in range(len(self.parents))], dtype=np.int64)

    def roots(self, ids: np.ndarray) -> np.ndarray:
        """The coupled group of each channel."""
        return self.table[ids]

    def couple(self, a: np.ndarray, b: np.ndarray) -> None:
        for i, j in zip(a.tolist(), b.tolist(), strict=True):
            self.parents[self.root(j)] = self.root(i)

    # --- questions ------------------------------------------------------------------------------------
    @property
    def layers(self) -> tuple[str, ...]:
        """Layers that have units, in order of the forward pass."""
        return tuple(self.owners)

    def units(self, layer: str) -> int:
        """Number of units of a layer; an error that lists the layers when there is no such layer."""
        if layer not in self.owners:
            raise unknown("layer", layer, self.layers)
        return len(self.owners[layer])

    def unit_ids(self, layer: str) -> np.ndarray:
        """(units,) the coupled group of each unit. Raises PruningError if a unit cannot be removed."""
        self.units(layer)
        ids = self.roots(self.owners[layer])
        reasons = {int(self.table[i]): why for i, why in self.blocked.items()}
        for i in ids.tolist():
            if i in reasons:
                raise PruningError(f"layer {layer!r}: its units cannot be removed, {reasons[i]}.")
        return ids

    def removal(self, removed: dict[str, Sequence[int]]) -> Removal:
        """What goes when these units go: {layer: units}."""
        gone: set[int] = set()
        for layer, units in removed.items():
            ids = self.unit_ids(layer)
            gone.update(ids[check_units(layer, units, len(ids))].tolist())
        find = np.array(sorted(gone), dtype=np.int64)

        def where(ids: np.ndarray) -> np.ndarray:
            return np.flatnonzero(np.isin(self.roots(ids), find))

        def hit(channels: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
            found = {name: where(ids) for name, ids in channels.items()}
            return {name: channels for name, channels in found.items() if len(channels)}

        stops = {read.node: where(read.ids) for read in self.reads}
        rigid = {why for i, why in self.rigid.items() if int(self.table[i]) in gone}
        return Removal(
            stops={node: channels for node, channels in stops.items() if len(channels)},
            inputs=hit({read.layer: read.ids for read in self.reads if read.layer is not None}),
            outputs=hit(self.owners),
            passing=hit(self.passing),
            rigid=tuple(sorted(rigid)),
        )


def check_units(layer: str, units: Sequence[int], count: int) -> np.ndarray:
    """(n,) int64 unit indices. Raises PruningError for anything else: floats, strangers, repeats."""
    array = np.asarray(units if len(units) else np.zeros(0, dtype=np.int64))
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise PruningError(
            f"units of {layer!r}: want whole numbers in one row, got {array.dtype} {array.shape}."
        )
    outside = array[(array < 0) | (array >= count)]
    if len(outside):
        raise PruningError(
            f"units {outside[:5].tolist()} of layer {layer!r} do not exist: it has units 0 to {count - 1}."
        )
    if len(np.unique(array)) != len(array):
        raise PruningError(f"units of {layer!r} repeat: {array.tolist()[:10]}… Name each unit once.")
    return array.astype(np.int64)


def trace(model: nn.Module | Network, input_ndim: int | None = None) -> Network:
    """Follow the channels of a model. The model itself is neither changed nor kept.

    Parameters
    ----------
    model : nn.Module whose forward torch.fx can trace (a Network is handed back as it is: tracing once
        and asking often saves 2 ms for a small network and 60 ms for a ResNet-18)
    input_ndim : number of axes of the inputs, examples included; only networks whose linear layers read
        more than (examples, features), as XORD's does, need it

    Raises
    ------
    PruningError
        If the forward cannot be traced, or a weight is not a finite number.
    """
    if isinstance(model, Network):
        return model
    from prunescope.engine.pruning.walk import follow  # it fills the classes defined here

    for name, tensor in model.state_dict().items():
        if isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and not tensor.isfinite().all():
            bad = int((~tensor.isfinite()).sum())
            raise PruningError(
                f"{name} holds {bad} values that are nan or infinite: accuracy would mean nothing. "
                "Choose an epoch before training diverged."
            )
    twin = copy.deepcopy(model).eval().requires_grad_(False)
    try:
        graph_module = fx.symbolic_trace(twin)
    except Exception as error:  # fx raises whatever the forward raises when it meets a proxy
        raise PruningError(
            f"the forward of {type(model).__name__} cannot be traced ({type(error).__name__}: {error}). Its "
            "path must not depend on values: decide from hyperparameters in __init__, not from tensors."
        ) from error
    write_out_of_place(graph_module)
    network = Network(module=graph_module)
    follow(network, input_ndim)
    network.seal()
    return network
