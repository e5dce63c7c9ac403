"""What an architecture is told of the data and of its own size, and the parts that depend on it."""

from collections import OrderedDict
from dataclasses import dataclass
from math import prod

from torch import nn


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Size of the inputs, the outputs and the layers between.

    Attributes
    ----------
    hidden : widths of the hidden layers, where a model lets them be chosen
    """

    name: str
    input_shape: tuple[int, ...]
    n_classes: int
    width: float = 1.0
    hidden: tuple[int, ...] = ()

    @property
    def n_inputs(self) -> int:
        return prod(self.input_shape)

    def scaled(self, units: int) -> int:
        """A layer's width times the multiplier, at least one unit."""
        return max(1, round(units * self.width))


class Stack:
    """Collects named layers into a flat `nn.Sequential`, following the size of the image.

    The order of the calls is the order of the layers; conv1, conv2, …, fc1, fc2, … count by themselves.
    """

    def __init__(self, shape: Shape) -> None:
        self._layers: OrderedDict[str, nn.Module] = OrderedDict()
        self._counts: dict[str, int] = {}
        self._flat = len(shape.input_shape) != 3
        self.channels = shape.input_shape[0]
        self.size = tuple(shape.input_shape[1:])
        self.features = shape.n_inputs
        if self._flat:
            self._add("flatten", nn.Flatten(), numbered=False)

    def conv(self, units: int, *, kernel: int = 3, padding: int = 1, norm: bool = False) -> None:
        """Convolution, BatchNorm if asked, ReLU. BatchNorm's shift makes a bias before it useless."""
        self._add("conv", nn.Conv2d(self.channels, units, kernel, padding=padding, bias=not norm))
        if norm:
            self._add("bn", nn.BatchNorm2d(units))
        self._add("relu", nn.ReLU())
        self.channels = units
        self.size = tuple(side + 2 * padding - kernel + 1 for side in self.size)

    def pool(self) -> None:
        """Halve the image, unless less than a pixel would be left: small images pass fewer pools."""
        if min(self.size) >= 2:
            self._add("pool", nn.MaxPool2d(2))
            self.size = tuple(side // 2 for side in self.size)

    def average(self) -> None:
        """The mean of each channel."""
        self._add("average", nn.AdaptiveAvgPool2d(1), numbered=False)
        self.size = (1, 1)

    def linear(self, units: int, *, relu: bool = True) -> None:
        """Linear layer, and ReLU unless it is the last."""
        if not self._flat:
            self._add("flatten", nn.Flatten(), numbered=False)
            self._flat = True
            self.features = self.channels * prod(self.size)
        self._add("fc", nn.Linear(self.features, units))
        if relu:
            self._add("fc_relu", nn.ReLU())
        self.features = units

    def model(self) -> nn.Sequential:
        return nn.Sequential(self._layers)

    def _add(self, kind: str, module: nn.Module, *, numbered: bool = True) -> None:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        self._layers[f"{kind}{self._counts[kind]}" if numbered else kind] = module
