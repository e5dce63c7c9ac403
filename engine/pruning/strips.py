"""The fast curve where only linear layers and activations follow the reader.

Removing a unit changes the reader's outputs by one outer product. So a level costs one multiply-add an
output, one activation and the small matrix products behind, on values laid out features × examples: each
row is contiguous in the examples, and a *strip* of examples stays in a core's cache over all levels.

A strip holds examples of one class where there are enough of each, because then the differences to the
target's logit are a matrix product of their own: no gathering. And where one ReLU stands before the last
layer, a unit can move a margin by no more than |its activation| × what the weights allow; examples whose
margin is out of reach of the next few units are *settled* for these levels and left out. Both change how
much is computed, not what is counted.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from prunescope.engine.pruning.chain import Chain
from prunescope.engine.pruning.counting import Fast, Span, pick, without
from prunescope.engine.pruning.plan import Plan
from prunescope.engine.pruning.program import Values, as_index
from torch import Tensor

# A strip's outputs and their activations share a core's second-level cache.
_STRIP_BYTES = 500_000
_ON_GPU = 1 << 28
# Classes with fewer examples than this, on average, share strips.
_PER_CLASS = 192
# Levels decided at once to begin with, and at most; the share of unsettled examples steers it.
_AHEAD, _MOST_AHEAD = 4, 16
_FEW, _MANY = 0.12, 0.5
# Of the largest margin of a strip: what rounding may add to a unit's reach, with a wide margin of its own.
_SLACK = 1e-4

# (outputs, where to write the margins)
Margin = Callable[[Tensor, Tensor], None]


# What comes back at a level: its weights (features, channels) and its values (channels, examples)
Piece = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class _Strip:
    """Some examples, the outputs of the reader for them, and what comes back to them.

    Attributes
    ----------
    outputs : (features, examples), grows in place
    pieces : for each span but the last, what comes back there that the next one lacks
    weight, rows : (features, steps), (steps, examples) in the order in which they come back, where each
        span brings one channel; else None
    """

    chain: Chain
    outputs: Tensor
    pieces: Sequence[Piece]
    weight: Tensor | None
    rows: Tensor | None

    def grow(self, outputs: Tensor, piece: Piece) -> None:
        """Add what comes back to some outputs."""
        weight, rows = piece
        if rows.shape[0] == 1:
            outputs.addcmul_(weight, rows)
        elif rows.shape[0]:
            outputs.addmm_(weight, rows)

    def hidden(self, outputs: Tensor) -> Tensor:
        """Input of the last layer."""
        for step in self.chain.steps:
            outputs = step(outputs)
        return outputs


def build_up_in_strips(chain: Chain) -> Fast:
    """Margins at nested spans (0, k), built from the largest k down to the smallest."""

    def margins(
        plan: Plan, values: Values, targets: Tensor, spans: Sequence[Span]
    ) -> Iterator[tuple[Tensor, Tensor]]:
        (node,) = plan.channels
        layer, source = plan.program.modules[node.target], values[node.all_input_nodes[0]]
        top = spans[-1][1]
        columns = [plan.between(node, low, high) for (_, low), (_, high) in pairwise(spans)]
        weights = [pick(layer.weight, 1, some) for some in columns]
        # The last removed comes back first.
        singles = None
        if columns and all(len(some) == 1 for some in columns):
            singles = as_index(np.concatenate(columns[::-1]), source.device)
            weight = layer.weight.index_select(1, singles)
        for examples, target in _strips(targets, len(chain.weight), layer.out_features):
            part = source.index_select(0, examples)
            if singles is None:
                pieces = [(w, pick(part, 1, some).T) for w, some in zip(weights, columns, strict=True)]
                alone = None, None
            else:
                rows = part.T.index_select(0, singles)
                pieces = list(zip(weight.T.unsqueeze(2), rows.unsqueeze(1), strict=True))[::-1]
                alone = weight, rows
            strip = _Strip(
                chain=chain,
                outputs=without(plan, layer, node, part, top).T.contiguous(),
                pieces=pieces,
                weight=alone[0],
                rows=alone[1],
            )
            found = _mixed(strip, targets[examples]) if target is None else _of_one_class(strip, target)
            yield found, examples

    return margins


def _strips(targets: Tensor, classes: int, features: int) -> Iterator[tuple[Tensor, int | None]]:
    """(examples, their class or None) in pieces that fit the cache."""
    budget = _ON_GPU if targets.device.type == "cuda" else _STRIP_BYTES
    width = max(64, budget // (4 * features))
    if len(targets) < _PER_CLASS * classes or classes < 2:
        for part in torch.arange(len(targets), device=targets.device).split(width):
            yield part, None
        return
    for target in range(classes):
        for part in (targets == target).nonzero()[:, 0].split(width):
            if len(part):
                yield part, target


def _mixed(strip: _Strip, targets: Tensor) -> Tensor:
    """(n_spans, examples) margins of examples of several classes."""
    position = len(strip.pieces)
    margins = strip.outputs.new_empty(position + 1, len(targets))
    own, bias = targets[None], strip.chain.bias[:, None]

    def margin(outputs: Tensor, into: Tensor) -> None:
        logits = torch.addmm(bias, strip.chain.weight, strip.hidden(outputs))
        mine = logits.gather(0, own)
        logits.scatter_(0, own, -torch.inf)
        torch.sub(mine[0], logits.amax(0), out=into)

    margin(strip.outputs, margins[position])
    while position > 0:
        position = _step(strip, position, margin, margins)
    return margins


def _of_one_class(strip: _Strip, target: int) -> Tensor:
    """(n_spans, examples) margins of examples of one class; settled ones with their sign alone right."""
    others = [i for i in range(len(strip.chain.weight)) if i != target]
    differences = (strip.chain.weight[target] - strip.chain.weight[others]).contiguous()
    bias = (strip.chain.bias[target] - strip.chain.bias[others])[:, None]

    def margin(outputs: Tensor, into: Tensor) -> None:
        torch.amin(torch.addmm(bias, differences, strip.hidden(outputs)), 0, out=into)

    last = len(strip.pieces)
    position, ahead = last, _AHEAD
    margins = strip.outputs.new_empty(last + 1, strip.outputs.shape[1])
    margin(strip.outputs, margins[position])
    if strip.weight is None or strip.rows is None or not strip.chain.relu:
        while position > 0:
            position = _step(strip, position, margin, margins)
        return margins
    # How far one activation of a coming unit can move the worst of the differences.
    reach = (strip.weight.T.abs() @ differences.abs().T).amax(1)
    while position > 0:
        block = min(ahead, position)
        coming = slice(last - position, last - position + block)
        inside = slice(coming.start, coming.stop - 1)
        moved = reach[inside] @ strip.rows[inside].abs()
        now = margins[position]
        unsure = (now.abs() <= moved + _SLACK * now.abs().amax()).nonzero()[:, 0]
        share = unsure.shape[0] / now.shape[0]
        if share > _MANY:
            ahead = max(2, ahead // 2)
            position = _step(strip, position, margin, margins)
            continue
        _between(strip, position, block, unsure, margin, margins)
        strip.outputs.addmm_(strip.weight[:, coming], strip.rows[coming])
        position -= block
        margin(strip.outputs, margins[position])
        ahead = min(_MOST_AHEAD, 2 * ahead) if share < _FEW else ahead
    return margins


def _step(strip: _Strip, position: int, margin: Margin, margins: Tensor) -> int:
    """One level further for all examples."""
    strip.grow(strip.outputs, strip.pieces[position - 1])
    margin(strip.outputs, margins[position - 1])
    return position - 1


def _between(
    strip: _Strip, position: int, block: int, unsure: Tensor, margin: Margin, margins: Tensor
) -> None:
    """The levels inside a block: settled examples keep their margin, the others are followed, all at once."""
    inside = block - 1
    if not inside:
        return
    margins[position - inside : position] = margins[position]
    count = unsure.shape[0]
    if not count:
        return
    before = strip.outputs.index_select(1, unsure)
    # One column block a level, the highest level's last, as margins has them.
    outputs = before.new_empty(before.shape[0], inside * count)
    for i, level in enumerate(reversed(outputs.split(count, dim=1)), start=1):
        weight, rows = strip.pieces[position - i]
        before = torch.addcmul(before, weight, rows.index_select(1, unsure), out=level)
    found = margins.new_empty(inside * count)
    margin(outputs, found)
    margins[position - inside : position].index_copy_(1, unsure, found.view(inside, count))
