"""One walk over a traced graph: which channels every value carries. The rules behind `flow.trace`.

A rule takes (walk, node) and returns the channels of the node's value, or None where it carries none that
could be followed (numbers, shapes). What no rule knows is blocked with a reason.
"""

from dataclasses import replace

import numpy as np
from prunescope.engine.pruning.channel_operations import operation
from prunescope.engine.pruning.channels import Channels, Raw, Value, Walk, flattened, pooled
from prunescope.engine.pruning.flow import CONVS, Network, Read
from torch import fx, nn

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
ELEMENTWISE = (
    nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout,
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Sigmoid, nn.Tanh,
    nn.Softplus, nn.Softsign, nn.Hardtanh, nn.Hardswish, nn.Hardsigmoid, nn.LogSigmoid, nn.Threshold,
)  # fmt: skip
_POOLS = (
    nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d,
    nn.LPPool1d, nn.LPPool2d,
    nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d,
    nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d,
    nn.Upsample, nn.ZeroPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d, nn.ConstantPad2d,
)  # fmt: skip


def follow(network: Network, input_ndim: int | None = None) -> None:
    """Fill the network's reads, writes, passing layers, couplings and refusals."""
    walk = Walk(network=network, modules=dict(network.module.named_modules()))
    for node in network.module.graph.nodes:
        if node.op == "placeholder":
            walk.values[node] = Raw(input_ndim)
        elif node.op == "output":
            walk.block(node, "they are the network's output (for a classifier, the classes)")
        elif node.op == "call_module":
            walk.values[node] = _module(walk, node)
        elif node.op in ("call_function", "call_method"):
            walk.values[node] = operation(walk, node)
        else:  # get_attr
            walk.values[node] = None


def _module(walk: Walk, node: fx.Node) -> Value:
    module, value = walk.modules[node.target], walk.values.get(node.args[0]) if node.args else None
    if isinstance(module, (nn.Linear, *CONVS)):
        if isinstance(module, CONVS) and module.groups > 1:
            return _grouped(walk, node, module, value)
        return _dense(walk, node, module, value)
    if isinstance(module, ELEMENTWISE):
        return value
    if isinstance(module, (*_BATCH_NORMS, nn.PReLU)):
        return _per_channel(walk, node, module, value)
    if isinstance(module, _POOLS):
        return pooled(walk, node, value, type(module).__name__)
    if isinstance(module, nn.Flatten):
        return flattened(walk, node, value, module.start_dim, module.end_dim)
    walk.block(node, f"they enter {node.target!r} ({type(module).__name__}), which may mix units")
    return None


def _dense(walk: Walk, node: fx.Node, module: nn.Module, value: Value) -> Channels:
    """A layer that reads all channels and writes fresh ones."""
    network, conv = walk.network, isinstance(module, CONVS)
    size = module.in_channels if conv else module.in_features
    if isinstance(value, Channels):
        fits = value.spatial > 0 if conv else value.spatial == 0
        ids = value.spread(size) if fits else None
        if ids is None:
            walk.block(node, f"{node.target!r} does not read them along the channel axis")
        else:
            kind = "conv" if conv else "linear"
            network.reads.append(Read(node=node, layer=node.target, kind=kind, axis=value.axis, ids=ids))
            if node.target in walk.first_inputs:  # the same layer called again: its inputs go together
                network.couple(walk.first_inputs[node.target], ids)
            walk.first_inputs.setdefault(node.target, ids)
    if node.target not in network.writes:
        network.writes[node.target] = network.fresh(module.out_channels if conv else module.out_features)
        network.owners[node.target] = network.writes[node.target]
    between: int | None = 0
    if not conv:
        known = value.between if isinstance(value, Channels) else None
        between = value.ndim - 2 if isinstance(value, Raw) and value.ndim is not None else known
    return Channels(network.writes[node.target], module.weight.ndim - 2, between=between)


def _grouped(walk: Walk, node: fx.Node, module: nn.Module, value: Value) -> Value:
    """Depthwise layers hand channels on; other grouped ones can be masked but not cut unevenly."""
    network = walk.network
    if module.groups == module.in_channels and isinstance(value, Channels) and value.spatial:
        ids = np.repeat(value.ids, module.out_channels // module.in_channels)
        _pass(walk, node.target, ids)
        network.owners[node.target] = ids
        return Channels(ids, value.spatial)
    why = f"{node.target!r} is a convolution in {module.groups} groups, which cannot lose single channels"
    if isinstance(value, Channels):
        if value.spatial and len(value.ids) == module.in_channels:
            network.reads.append(Read(node=node, layer=node.target, kind="conv", axis=1, ids=value.ids))
            walk.stiff(value.ids, why)
        else:
            walk.block(node, why)
    if node.target not in network.writes:
        network.writes[node.target] = network.fresh(module.out_channels)
        network.owners[node.target] = network.writes[node.target]
        walk.stiff(network.writes[node.target], why)
    return Channels(network.writes[node.target], module.weight.ndim - 2)


def _pass(walk: Walk, layer: str, ids: np.ndarray) -> None:
    known = walk.network.passing.setdefault(layer, ids)
    if known is not ids:
        walk.network.couple(known, ids)


def _per_channel(walk: Walk, node: fx.Node, module: nn.Module, value: Value) -> Value:
    """BatchNorm and PReLU: one entry a channel."""
    size = module.num_parameters if isinstance(module, nn.PReLU) else module.num_features
    if not isinstance(value, Channels) or (isinstance(module, nn.PReLU) and size == 1):
        return value
    ids = value.spread(size)
    if ids is None:
        walk.block(node, f"{node.target!r} has {size} entries for {len(value.ids)} units")
        return None
    if (
        not value.spatial
        and value.between != 0
        and isinstance(module, _BATCH_NORMS)
        and value.between is not None
    ):
        walk.block(node, f"{node.target!r} does not read them along the channel axis")
        return None
    _pass(walk, node.target, ids)
    return replace(value, ids=ids, folded=False)
