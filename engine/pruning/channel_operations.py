"""Functions and methods in a forward, by name: what each does to the channels of its operands."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from prunescope.engine.pruning.channels import Channels, Raw, Value, Walk, flattened, pooled
from prunescope.engine.pruning.flow import Read
from torch import fx

# stochastic_depth is torchvision's; it does nothing in evaluation.
_SAME = {
    "relu", "relu6", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "sigmoid", "tanh",
    "softplus", "softsign", "hardtanh", "hardswish", "hardsigmoid", "logsigmoid", "dropout", "dropout2d",
    "feature_dropout", "alpha_dropout", "abs", "neg", "exp", "log", "log1p", "sqrt", "rsqrt", "square",
    "pow", "sin", "cos", "clamp", "clamp_min", "clamp_max", "clip", "contiguous", "clone", "detach",
    "float", "to", "type_as", "reciprocal", "stochastic_depth",
}  # fmt: skip
_POOL_NAMES = {
    "max_pool1d", "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d",
    "boolean_dispatch", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d",
    "adaptive_max_pool1d", "adaptive_max_pool2d", "lp_pool2d", "interpolate",
}  # fmt: skip
_BINARY = {"add", "sub", "mul", "truediv", "div", "true_divide", "multiply", "subtract", "maximum", "minimum"}
_REDUCE = {"mean", "sum", "amax", "amin"}
_SHAPES = {"size", "dim", "getattr", "len", "numel", "floordiv", "mod", "eq", "ne", "gt", "lt"}


def operation(walk: Walk, node: fx.Node) -> Value:
    """A function or method call, known by its name."""
    name = _name(node)
    value = walk.values.get(node.args[0]) if node.args and isinstance(node.args[0], fx.Node) else None
    rule = _RULES.get(name)
    if rule is not None:
        return rule(walk, node, value)
    if name in _SHAPES:
        return None
    if any(isinstance(walk.values.get(n), Channels) for n in node.all_input_nodes):
        walk.block(node, f"they enter {name}(), which may mix units")
        return None
    raw = any(isinstance(walk.values.get(n), Raw) for n in node.all_input_nodes)
    return Raw(None) if raw else None


def _name(node: fx.Node) -> str:
    return node.target if node.op == "call_method" else getattr(node.target, "__name__", str(node.target))


def _same(walk: Walk, node: fx.Node, value: Value) -> Value:
    if any(isinstance(walk.values.get(n), Channels) for n in node.all_input_nodes[1:]):
        walk.block(node, f"they are an argument of {_name(node)}(), which may mix units")
        return None
    return value


def _pool_call(walk: Walk, node: fx.Node, value: Value) -> Value:
    return pooled(walk, node, value, _name(node))


def _binary(walk: Walk, node: fx.Node, value: Value) -> Value:
    """Elementwise: equal channels are coupled; one channel for all others is not removable."""
    both = [walk.values.get(n) for n in node.args[:2] if isinstance(n, fx.Node)]
    maps = [v for v in both if isinstance(v, Channels)]
    raw = next((v for v in both if isinstance(v, Raw)), None)
    if not maps:
        return raw
    if raw is not None:
        walk.block(node, "they are summed with the network's input, whose channels cannot be removed")
        return Raw(None)
    if len(maps) == 1:
        nodes = [n for n in node.args[:2] if isinstance(n, fx.Node)]
        other = next((n for n in nodes if walk.values.get(n) is None), None)
        if other is not None:
            walk.stiff(maps[0].ids, f"they meet {other.name!r}, whose channels are not known")
        return maps[0]
    a, b = maps
    if (a.spatial > 0) != (b.spatial > 0) or a.folded != b.folded:
        walk.block(node, "values of different shapes meet in a sum")
        return None
    if len(a.ids) == len(b.ids):
        walk.network.couple(a.ids, b.ids)
        return a
    one, many = (a, b) if len(a.ids) == 1 else (b, a)
    if len(one.ids) == 1:
        walk.stiff(one.ids, "one channel scales all others")
        walk.network.blocked[int(one.ids[0])] = "the only channel of its layer scales all others"
        return many
    walk.block(node, f"values with {len(a.ids)} and {len(b.ids)} channels meet")
    return None


def _cat(walk: Walk, node: fx.Node, _: Value) -> Value:
    parts = [walk.values.get(n) for n in node.args[0]]
    axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", node.kwargs.get("axis", 0))
    maps = [p for p in parts if isinstance(p, Channels)]
    if not maps:
        return next((p for p in parts if isinstance(p, Raw)), None)
    spatial = maps[0].spatial
    uniform = len(maps) == len(parts) and all(p.spatial == spatial and not p.folded for p in maps)
    if not uniform or axis not in (1, -1 - spatial):
        walk.block(node, "they are concatenated with something whose channels cannot be followed")
        return None
    return Channels(np.concatenate([p.ids for p in maps]), spatial)


def _flatten_call(walk: Walk, node: fx.Node, value: Value) -> Value:
    args = dict(zip(("start_dim", "end_dim"), node.args[1:], strict=False)) | dict(node.kwargs)
    return flattened(walk, node, value, args.get("start_dim", 0), args.get("end_dim", -1))


def _view(walk: Walk, node: fx.Node, value: Value) -> Value:
    """x.view(batch, -1), x.view(batch, features) and, for gates, x.view(batch, channels, 1, 1)."""
    shape = node.args[1:]
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    if not isinstance(value, Channels):
        return Raw(len(shape)) if isinstance(value, Raw) else value
    if not value.spatial and value.between:
        walk.block(node, "the forward reshapes them in a way that may mix units")
        return None
    batch_kept = len(shape) >= 2 and (isinstance(shape[0], fx.Node) or shape[0] == -1)
    if batch_kept and len(shape) == 2:
        if isinstance(shape[1], int) and shape[1] != -1:
            walk.stiff(value.ids, f"the forward reshapes to {shape[1]} features: write x.flatten(1) instead")
        return replace(value, spatial=0, folded=value.folded or value.spatial > 0)
    if batch_kept and not value.spatial and not value.folded and all(s == 1 for s in shape[2:]):
        if isinstance(shape[1], int) and shape[1] != -1:
            walk.stiff(value.ids, f"the forward reshapes to {shape[1]} channels")
        return replace(value, spatial=len(shape) - 2)
    walk.block(node, "the forward reshapes them in a way that may mix units")
    return None


def _reduced(walk: Walk, node: fx.Node, value: Value) -> Value:
    """Mean, sum, maximum over axes that are not the units'; a sum over the units reads them."""
    if not isinstance(value, Channels):
        return Raw(None) if isinstance(value, Raw) else value
    axes = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim")
    axes = (axes,) if isinstance(axes, int) else tuple(axes or ())
    keep = node.args[2] if len(node.args) > 2 else node.kwargs.get("keepdim", False)
    if value.spatial and axes:
        positive = sorted(a % (value.spatial + 2) for a in axes)
        if positive[0] >= 2:
            return replace(value, spatial=value.spatial if keep else value.spatial - len(positive))
    if not value.spatial and not value.folded and value.between is not None and len(axes) == 1:
        axis = axes[0] % (value.between + 2)
        if 0 < axis <= value.between:
            return replace(value, between=value.between if keep else value.between - 1)
        if axis == value.between + 1 and _name(node) == "sum":
            walk.network.reads.append(Read(node=node, layer=None, kind="sum", axis=-1, ids=value.ids))
            return None
    if not value.spatial and value.between is None:
        walk.block(node, f"{_name(node)} runs over an axis that is not known: give the shape of the inputs")
        return None
    walk.block(node, f"{_name(node)} runs over units")
    return None


def _item(walk: Walk, node: fx.Node, value: Value) -> Value:
    """x[:, :, …] keeps channels; x[:, :, None, None] makes features a map."""
    if not isinstance(value, Channels):
        return Raw(None) if isinstance(value, Raw) else value
    index = node.args[1] if isinstance(node.args[1], tuple) else (node.args[1],)
    whole = slice(None)
    if len(index) >= 2 and index[0] == whole and index[1] == whole:
        rest = index[2:]
        if value.spatial and all(isinstance(i, slice) for i in rest):
            return value
        if not value.spatial and not value.folded and all(i is None for i in rest):
            return replace(value, spatial=len(rest))
    walk.block(node, "the forward picks a part of them by an index")
    return None


def _pad(walk: Walk, node: fx.Node, value: Value) -> Value:
    """Spatial padding keeps channels; padding the channel axis adds constant ones."""
    if not isinstance(value, Channels):
        return value
    pads = node.args[1] if len(node.args) > 1 else node.kwargs["pad"]
    if value.spatial and len(pads) <= 2 * value.spatial:
        return value
    if value.spatial and len(pads) == 2 * value.spatial + 2 and all(isinstance(p, int) for p in pads):
        before, after = pads[-2:]
        network = walk.network
        ids = np.concatenate([network.fresh(before), value.ids, network.fresh(after)])
        walk.stiff(ids, f"the forward pads by {before} and {after} channels")
        return replace(value, ids=ids)
    walk.block(node, "the forward pads them in a way that cannot be followed")
    return None


_RULES: dict[str, Callable[[Walk, fx.Node, Value], Value]] = {
    **dict.fromkeys(_SAME, _same),
    **dict.fromkeys(_POOL_NAMES, _pool_call),
    **dict.fromkeys(_BINARY, _binary),
    **dict.fromkeys(("cat", "concat", "concatenate"), _cat),
    **dict.fromkeys(("view", "reshape"), _view),
    **dict.fromkeys(_REDUCE, _reduced),
    "flatten": _flatten_call,
    "getitem": _item,
    "pad": _pad,
}
