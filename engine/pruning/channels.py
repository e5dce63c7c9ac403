"""What a value carries while a graph is walked: its channels, or none that could be followed."""

from dataclasses import dataclass, field, replace

import numpy as np
from prunescope.engine.pruning.flow import Network
from torch import fx, nn


@dataclass(frozen=True)
class Channels:
    """Channels of a value: axis 1 with `spatial` axes behind it, or features when spatial is 0.

    `folded`: a map was flattened, each channel became an unknown number of consecutive features.
    """

    ids: np.ndarray
    spatial: int
    folded: bool = False
    between: int | None = 0  # axes between the examples and the features; None: not known

    @property
    def axis(self) -> int:
        return 1 if self.spatial else -1

    def spread(self, features: int) -> np.ndarray | None:
        """The id of each of `features` features, None if they do not divide evenly."""
        if not self.folded:
            return self.ids if len(self.ids) == features else None
        times, rest = divmod(features, len(self.ids))
        return np.repeat(self.ids, times) if times and not rest else None


@dataclass(frozen=True)
class Raw:
    """Values made of the network's input alone: their channels are nobody's units."""

    ndim: int | None


Value = Channels | Raw | None


@dataclass(kw_only=True)
class Walk:
    """The walk's memory: the network being filled and the value of every node so far."""

    network: Network
    modules: dict[str, nn.Module]
    values: dict[fx.Node, Value] = field(default_factory=dict)
    first_inputs: dict[str, np.ndarray] = field(default_factory=dict)

    def block(self, node: fx.Node, why: str) -> None:
        """Whatever channels enter this node cannot be followed past it."""
        for source in node.all_input_nodes:
            value = self.values.get(source)
            if isinstance(value, Channels):
                self.network.blocked.update(dict.fromkeys(value.ids.tolist(), why))

    def stiff(self, ids: np.ndarray, why: str) -> None:
        """Masking these channels is exact, deleting them is not possible."""
        self.network.rigid.update(dict.fromkeys(ids.tolist(), why))


def pooled(walk: Walk, node: fx.Node, value: Value, name: str) -> Value:
    if isinstance(value, Channels) and not value.spatial:
        walk.block(node, f"{name} pools over units")
        return None
    return value


def flattened(walk: Walk, node: fx.Node, value: Value, start: int, end: int) -> Value:
    if isinstance(value, Raw):
        return Raw(2 if start == 1 and end == -1 else None)
    if not isinstance(value, Channels):
        return value
    if start == 1 and not value.spatial and value.between:
        walk.block(node, "features are flattened together with another axis")
        return None
    if start == 1 and end in (-1, value.spatial + 1):
        return replace(value, spatial=0, folded=value.folded or value.spatial > 0)
    if start >= 2 and end == -1 and value.spatial:
        return replace(value, spatial=1)
    walk.block(node, "they are flattened together with the examples")
    return None
