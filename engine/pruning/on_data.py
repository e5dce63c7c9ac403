"""What criteria measure on examples, of many layers in one pass, a piece at a time.

A page asks for every layer's order by the same criterion, in both directions, and nothing else can be answered
while one piece is worked on. So all layers are measured in the same pass, and estimates are handed out on the way.
The pieces are the same whoever asks, so that everybody gets the same quantities to the last bit.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from prunescope.engine.pruning.flow import CONVS, Network
from prunescope.engine.pruning.program import footprint, upto
from prunescope.engine.pruning.scores import Floats
from prunescope.engine.pruning.stream import stream_ablation
from prunescope.engine.pruning.walk import ELEMENTWISE
from torch import Tensor, fx, nn

# base and layer -> (units,) quantity
Quantities = dict[tuple[str, str], Floats]


class Estimate(NamedTuple):
    """Quantities on the examples seen so far; complete: on all of them."""

    quantities: Quantities
    complete: bool


# Examples of the first piece, and of the largest: each is twice the one before.
_FIRST, _MOST = 4, 64
# Multiply-adds of a piece, about: 40 ms of one core. Fewer examples cost more in all, but nobody waits for a piece long.
_WORK = 2**29
# The backward pass takes as many again for the layer's inputs, and as many for its weights.
_WITH_GRADIENTS = 3
_ACTIVATIONS = {
    "relu",
    "relu6",
    "gelu",
    "silu",
    "sigmoid",
    "tanh",
    "leaky_relu",
    "elu",
    "hardswish",
    "softplus",
}
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_STATISTICS = ("mean", "std", "l1", "l2", "zeros")


def stream_quantities(
    network: Network, base: str, layers: Sequence[str], inputs: Tensor, targets: Tensor
) -> Iterator[Estimate]:
    """Quantities of a criterion on ever more examples; the last ones are on all of them.

    Parameters
    ----------
    base : a criterion's quantity: "taylor", "ablation", or "activation-…", which brings all five statistics
    layers : measured together
    inputs, targets : (examples, …), (examples,) class numbers; "activation-…" looks at no targets

    Raises
    ------
    PruningError
        If the network cannot read the inputs or a layer's units cannot be removed.
    """
    shapes = footprint(upto(network), inputs).shapes  # raises where the inputs do not fit
    work = sum(_multiply_adds(network, node, shape) for node, shape in shapes.items())
    return _STREAMS[base](network, layers, inputs, targets, work)


def measured_together(base: str) -> str | None:
    """Name of what is measured along with a quantity; None if it needs no examples."""
    return None if base not in _STREAMS else base.split("-")[0]


def _multiply_adds(network: Network, node: fx.Node, shape: torch.Size) -> int:
    """Of one example: each output number of a dense layer is a dot product over one row of its weight."""
    module = network.module.get_submodule(str(node.target)) if node.op == "call_module" else None
    return shape.numel() * module.weight[0].numel() if isinstance(module, (nn.Linear, *CONVS)) else 0


def _pieces(count: int, work: int) -> Iterator[slice]:
    """Of ``count`` examples that take ``work`` multiply-adds each."""
    most = max(1, min(_MOST, _WORK // max(1, work)))
    start, size = 0, min(_FIRST, most)
    while start < count:
        yield slice(start, min(count, start + size))
        start, size = start + size, min(most, 2 * size)


def _taylor(network: Network, layers: Sequence[str], inputs: Tensor, targets: Tensor, work: int) -> Iterator[Estimate]:
    """|Σ w·∂loss/∂w| with the loss averaged over the examples."""
    program = upto(network)
    weights = [network.module.get_submodule(layer).weight for layer in layers]
    # Linear in the gradient, so a number a unit is all that is kept of the pieces before.
    totals = [torch.zeros(len(weight), dtype=torch.float64, device=program.device) for weight in weights]
    for piece in _pieces(len(inputs), _WITH_GRADIENTS * work):
        # Between two pieces the network answers other questions, which want no gradients.
        for weight in weights:
            weight.requires_grad_(True)
        try:
            with torch.enable_grad():
                logits = program.after(program.before(inputs[piece].to(program.device)), {})
                loss = nn.functional.cross_entropy(logits, targets[piece].to(program.device), reduction="sum")
                gradients = torch.autograd.grad(loss, weights, allow_unused=True)
        finally:
            for weight in weights:
                weight.requires_grad_(False)
        found: Quantities = {}
        for layer, weight, total, gradient in zip(layers, weights, totals, gradients, strict=True):
            if gradient is not None:
                total += (weight.detach() * gradient).reshape(len(weight), -1).sum(1, dtype=torch.float64)
            found["taylor", layer] = (total / piece.stop).abs().cpu().numpy()
        yield Estimate(found, piece.stop == len(inputs))


def _activations(network: Network, layers: Sequence[str], inputs: Tensor, _: Tensor, work: int) -> Iterator[Estimate]:
    """Statistics of a unit's output, behind its BatchNorm and activation, over examples and positions."""
    nodes = {layer: behind_activation(network, layer) for layer in layers}
    program = upto(network, *nodes.values())
    sums: dict[str, dict[str, Tensor]] = {layer: {} for layer in layers}
    counts = dict.fromkeys(layers, 0)
    for piece in _pieces(len(inputs), work):
        with torch.inference_mode():
            values = program.before(inputs[piece].to(program.device))
            for layer, node in nodes.items():
                value = values[node]
                axis = value.ndim - 1 if isinstance(network.module.get_submodule(layer), nn.Linear) else 1
                counts[layer] += value.numel() // value.shape[axis]
                for name, total in _totals(value, axis).items():
                    sums[layer][name] = sums[layer].get(name, 0) + total
        found: Quantities = {}
        for layer in layers:
            means = {name: total.cpu().numpy() / counts[layer] for name, total in sums[layer].items()}
            means["std"] = (means["square"] - means["mean"] ** 2).clip(min=0) ** 0.5
            means["l2"] = means["square"] ** 0.5
            found |= {(f"activation-{name}", layer): means[name] for name in _STATISTICS}
        yield Estimate(found, piece.stop == len(inputs))


def _totals(value: Tensor, axis: int) -> dict[str, Tensor]:
    """(units,) float64 sums over all other axes."""
    others = [i for i in range(value.ndim) if i != axis]
    plain = value.sum(others, dtype=torch.float64)
    return {
        "mean": plain,
        "l1": plain if bool((value >= 0).all()) else value.abs().sum(others, dtype=torch.float64),
        "square": torch.linalg.vector_norm(value, dim=others, dtype=torch.float64) ** 2,
        "zeros": (value == 0).sum(others, dtype=torch.float64),
    }


def _ablation(network: Network, layers: Sequence[str], inputs: Tensor, targets: Tensor, _: int) -> Iterator[Estimate]:
    """Correct answers that go with each unit alone."""
    found: Quantities = {}
    for layer in layers:
        for part in stream_ablation(network, layer, inputs, targets):
            if part.n_seen:
                found["ablation", layer] = (part.baseline - part.correct).astype("float64")
            yield Estimate(dict(found), part.n_seen == part.n_total and layer == layers[-1])


def behind_activation(network: Network, layer: str) -> fx.Node:
    """The node where a layer's units have passed their BatchNorm and activation."""
    node = next(n for n in network.module.graph.nodes if n.op == "call_module" and n.target == layer)
    while len(node.users) == 1:
        (user,) = node.users
        module = network.module.get_submodule(user.target) if user.op == "call_module" else None
        name = user.target if user.op == "call_method" else getattr(user.target, "__name__", "")
        if not isinstance(module, (*NORMS, *ELEMENTWISE)) and name not in _ACTIVATIONS:
            break
        node = user
    return node


_STREAMS: dict[str, Callable[[Network, Sequence[str], Tensor, Tensor, int], Iterator[Estimate]]] = {
    "taylor": _taylor,
    "ablation": _ablation,
    **{f"activation-{name}": _activations for name in _STATISTICS},
}
