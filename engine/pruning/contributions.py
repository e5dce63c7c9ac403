"""What some input channels contribute to a dense layer's outputs: the layer is linear in them."""

from collections.abc import Callable

import torch
from prunescope.engine.pruning.plan import Ints
from prunescope.engine.pruning.program import as_index
from torch import Tensor, nn

# (outputs, low, high, sign): add to the outputs, in place, what channels low … high − 1 of an order make
Add = Callable[[Tensor, int, int, int], None]

# Channels whose patches are laid out at once.
_CHANNELS_AT_ONCE = 16


def contributions(layer: nn.Module, source: Tensor, axis: int, channels: Ints) -> Add:
    """Adds what some of the channels, in the order given, contribute to a layer's outputs.

    Parameters
    ----------
    layer : Linear or an ungrouped convolution
    source : its input, the channels along `axis`
    """
    index = as_index(channels, source.device)
    if isinstance(layer, nn.Conv2d) and layer.padding_mode == "zeros":
        return _by_patches(layer, source, index)
    weight = layer.weight

    def add(outputs: Tensor, low: int, high: int, sign: int) -> None:
        if high > low:
            some = index[low:high]
            part = source.index_select(axis, some), weight.index_select(1, some)
            outputs.add_(dense(layer, *part, None), alpha=sign)

    return add


def _by_patches(layer: nn.Conv2d, source: Tensor, index: Tensor) -> Add:
    """A convolution of few channels as a matrix product into the outputs.

    torch's own takes three times as long for one channel, and a second pass to add.
    """
    ordered = source.permute(1, 0, 2, 3).index_select(0, index)  # (channels, examples, height, width)
    padded = nn.functional.pad(ordered, layer._reversed_padding_repeated_twice).contiguous()
    weight = layer.weight.transpose(0, 1).index_select(0, index).flatten(2)  # (channels, units, taps)
    taps = weight.transpose(1, 2).contiguous()
    channel, example, row, column = padded.stride()
    (down, right), (apart_down, apart_right) = layer.stride, layer.dilation
    steps = (channel, apart_down * row, apart_right * column, example, down * row, right * column)

    def add(outputs: Tensor, low: int, high: int, sign: int) -> None:
        units = outputs.shape[1]
        rows = outputs.permute(0, 2, 3, 1).view(-1, units)  # (examples × positions, units)
        positions = (outputs.shape[0], *outputs.shape[2:])
        for start in range(low, high, _CHANNELS_AT_ONCE):
            count = min(_CHANNELS_AT_ONCE, high - start)
            size = (count, *layer.kernel_size, *positions)
            patches = padded.as_strided(size, steps, start * channel).reshape(-1, len(rows))
            rows.addmm_(patches.T, taps[start : start + count].view(-1, units), alpha=sign)

    return add


def dense(layer: nn.Module, source: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """The layer's outputs from some of its channels, with their part of the weight."""
    if isinstance(layer, nn.Linear):
        return nn.functional.linear(source, weight, bias)
    found: Tensor = layer._conv_forward(source, weight, bias)
    return found


def in_channels_last(value: Tensor) -> Tensor:
    """Images with the channels last; other values as they are."""
    return value.contiguous(memory_format=torch.channels_last) if value.ndim == 4 else value
