"""The fast curve where only linear layers and activations follow the reader.

Removing a unit changes the reader's outputs by one outer product. So a level costs one multiply-add an
output, one activation and the small matrix products behind, on values laid out features × examples: each
row is contiguous in the examples, and a *strip* of examples stays in a core's cache over all levels.

A strip holds examples of one class where there are enough of each, because then the differences to the
target's logit are a matrix product of their own: no gathering. And where one ReLU stands before the last
layer, a unit can move a difference by no more than |its activation| × what the weights allow. So each example
carries bounds of its differences along, which widen with every unit that comes back; while they say on which
side of zero the margin is, the example is *settled* and left out, and when they no longer do, it is evaluated
and the bounds start anew. Both change how much is computed, not what is counted.
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
_FEW, _MANY = 0.08, 0.25
# Of the largest difference met in a strip: what rounding may add to the reach of units, with a wide margin of its own.
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
    weight = (strip.chain.weight[target] - strip.chain.weight[others]).contiguous()
    bias = (strip.chain.bias[target] - strip.chain.bias[others])[:, None]

    def differences(outputs: Tensor) -> Tensor:
        return torch.addmm(bias, weight, strip.hidden(outputs))

    def margin(outputs: Tensor, into: Tensor) -> None:
        torch.amin(differences(outputs), 0, out=into)

    position = len(strip.pieces)
    margins = strip.outputs.new_empty(position + 1, strip.outputs.shape[1])
    if strip.weight is not None and strip.rows is not None and strip.chain.relu:
        bounds = _Bounds(strip.weight, strip.rows, weight, differences(strip.outputs))
        _follow_unsettled(strip, bounds, differences, margins)
        return margins
    margin(strip.outputs, margins[position])
    while position > 0:
        position = _step(strip, position, margin, margins)
    return margins


class _Bounds:
    """What is known of differences of logits that are not evaluated: not below `low`, not above `high`.

    Parameters
    ----------
    weight, rows : of the strip: (features, steps) and (steps, examples)
    to_differences : (differences, features), the last layer
    now : (differences, examples) before the first step
    """

    def __init__(self, weight: Tensor, rows: Tensor, to_differences: Tensor, now: Tensor) -> None:
        self.low, self.high = now, now.clone()
        # A ReLU passes on some part of what a unit adds to it, between none and all: of the terms of the sum
        # only those of one sign can push one way.
        more, less = to_differences.clamp(min=0), to_differences.clamp(max=0)
        rise, fall = weight.clamp(min=0), weight.clamp(max=0)
        # (differences, steps): how far an activation of 1 can push each difference.
        self._down, self._up = less @ rise + more @ fall, more @ rise + less @ fall
        if float(rows.amin()) < 0:  # it may push the other way as well
            self._up = torch.maximum(self._up, -self._down)
            self._down = -self._up
        self._size = rows.abs()

    def widen(self, steps: slice) -> None:
        """Let these units come back."""
        self.low.addmm_(self._down[:, steps], self._size[steps])
        self.high.addmm_(self._up[:, steps], self._size[steps])

    def unsettled(self, slack: Tensor) -> Tensor:
        """Examples of which these bounds do not tell whether the least difference is above 0."""
        unclear = torch.minimum(slack - self.low.amin(0), self.high.amin(0) + slack)
        # Written so that nan is unclear.
        return (unclear < 0).logical_not_().nonzero()[:, 0]

    def renew(self, examples: Tensor, now: Tensor) -> None:
        """These were evaluated: (differences, examples)."""
        self.low.index_copy_(1, examples, now)
        self.high.index_copy_(1, examples, now)


def _follow_unsettled(
    strip: _Strip, bounds: _Bounds, differences: Callable[[Tensor], Tensor], margins: Tensor
) -> None:
    """Fill the margins from the last level down, some levels at once; settled examples keep theirs."""
    last, ahead = len(strip.pieces), _AHEAD
    torch.amin(bounds.low, 0, out=margins[last])
    largest = bounds.low.abs().amax()
    position = last
    while position > 0:
        block = min(ahead, position)
        coming = slice(last - position, last - position + block)
        bounds.widen(coming)
        unsettled = bounds.unsettled(_SLACK * largest)
        count = unsettled.shape[0]
        found = margins[position - block : position]
        found.copy_(margins[position].expand_as(found))
        if count:
            outputs = _outputs_at(strip, position, block, unsettled)
            now = differences(outputs)
            found.index_copy_(1, unsettled, now.amin(0).view(block, count))
            bounds.renew(unsettled, now[:, :count])
            largest = torch.maximum(largest, now.abs().amax())
        strip.outputs.addmm_(strip.weight[:, coming], strip.rows[coming])
        position -= block
        share = count / margins.shape[1]
        if share > _MANY:
            ahead = max(1, ahead // 2)
        elif share < _FEW:
            ahead = min(_MOST_AHEAD, 2 * ahead)


def _outputs_at(strip: _Strip, position: int, block: int, examples: Tensor) -> Tensor:
    """(features, block × examples): the reader's outputs for some examples at the next levels, the lowest first."""
    before = strip.outputs.index_select(1, examples)
    outputs = before.new_empty(before.shape[0], block * examples.shape[0])
    for i, level in enumerate(reversed(outputs.split(examples.shape[0], dim=1)), start=1):
        weight, rows = strip.pieces[position - i]
        before = torch.addcmul(before, weight, rows.index_select(1, examples), out=level)
    return outputs


def _step(strip: _Strip, position: int, margin: Margin, margins: Tensor) -> int:
    """One level further for all examples."""
    strip.grow(strip.outputs, strip.pieces[position - 1])
    margin(strip.outputs, margins[position - 1])
    return position - 1
