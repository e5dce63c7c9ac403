"""Residual nets for small images: ResNet-18, ResNet-20 and wide ResNets."""

from collections.abc import Sequence

from prunescope.engine.models.catalog import wide_resnet_shape
from prunescope.engine.models.shape import Shape
from torch import Tensor, nn


class Block(nn.Module):
    """conv-BN-ReLU-conv-BN, added to its input, ReLU. He et al. 2016a (arXiv 1512.03385)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv3(n_in, n_out, stride)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.relu1 = nn.ReLU()
        self.conv2 = _conv3(n_out, n_out, 1)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or n_in != n_out:
            self.shortcut = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False), nn.BatchNorm2d(n_out)
            )
        self.relu2 = nn.ReLU()

    def forward(self, inputs: Tensor) -> Tensor:  # (batch, n_in, h, w) → (batch, n_out, h/stride, w/stride)
        hidden = self.relu1(self.bn1(self.conv1(inputs)))
        outputs: Tensor = self.relu2(self.bn2(self.conv2(hidden)) + self.shortcut(inputs))
        return outputs


class PreActivationBlock(nn.Module):
    """BN-ReLU-conv-BN-ReLU-conv, added to its input. Zagoruyko & Komodakis 2016 (arXiv 1605.07146)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(n_in)
        self.relu1 = nn.ReLU()
        self.conv1 = _conv3(n_in, n_out, stride)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.relu2 = nn.ReLU()
        self.conv2 = _conv3(n_out, n_out, 1)
        self.same_shape = stride == 1 and n_in == n_out
        self.shortcut: nn.Module = nn.Identity()
        if not self.same_shape:
            self.shortcut = nn.Conv2d(n_in, n_out, 1, stride=stride, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:  # (batch, n_in, h, w) → (batch, n_out, h/stride, w/stride)
        active = self.relu1(self.bn1(inputs))
        hidden: Tensor = self.conv2(self.relu2(self.bn2(self.conv1(active))))
        # Where the shape changes, the shortcut starts behind the activation, as in the authors' code.
        return hidden + (inputs if self.same_shape else self.shortcut(active))


def resnet18(shape: Shape) -> nn.Module:
    """Four stages of two blocks, 64 to 512 channels, with a 3×3 stem for small images.

    This is He et al.'s ResNet-18. What the lottery-ticket paper calls Resnet-18 is `resnet20`.
    """
    return _resnet(shape, widths=(64, 128, 256, 512), blocks=2)


def resnet20(shape: Shape) -> nn.Module:
    """Three stages of three blocks, 16, 32 and 64 channels: He et al.'s ResNet-20 for CIFAR-10.

    Frankle & Carbin 2018, Fig. 2, list it as "Resnet-18". Shortcuts between stages are 1×1
    convolutions, as in that paper's code, where He et al. pad with zeros.
    """
    return _resnet(shape, widths=(16, 32, 64), blocks=3)


def _resnet(shape: Shape, *, widths: Sequence[int], blocks: int) -> nn.Module:
    channels = [shape.scaled(width) for width in widths]
    model = nn.Sequential()
    model.add_module("conv1", _conv3(shape.input_shape[0], channels[0], 1))
    model.add_module("bn1", nn.BatchNorm2d(channels[0]))
    model.add_module("relu1", nn.ReLU())
    _add_stages(model, Block, channels[0], channels, blocks)
    return _with_head(model, channels[-1], shape.n_classes)


def wide_resnet(shape: Shape) -> nn.Module:
    """WRN-d-k: a stem of 16, then (d−4)/6 blocks each of 16k, 32k and 64k channels.

    WRN-28-10 has 36,479,194 parameters for ten classes on 3×32×32, as in the paper (36.5 million).

    References
    ----------
    Zagoruyko & Komodakis 2016 (arXiv 1605.07146), Table 1.
    """
    depth, factor = wide_resnet_shape(shape.name)
    stem = shape.scaled(16)
    channels = [shape.scaled(width * factor) for width in (16, 32, 64)]
    model = nn.Sequential()
    model.add_module("conv1", _conv3(shape.input_shape[0], stem, 1))
    _add_stages(model, PreActivationBlock, stem, channels, (depth - 4) // 6)
    model.add_module("bn", nn.BatchNorm2d(channels[-1]))
    model.add_module("relu", nn.ReLU())
    return _with_head(model, channels[-1], shape.n_classes)


def _add_stages(
    model: nn.Sequential, block: type[nn.Module], n_in: int, channels: Sequence[int], blocks: int
) -> None:
    """Append the blocks of every stage; each stage but the first halves the image at its start."""
    for stage, n_out in enumerate(channels, start=1):
        for index in range(1, blocks + 1):
            stride = 2 if stage > 1 and index == 1 else 1
            model.add_module(f"stage{stage}_block{index}", block(n_in, n_out, stride))
            n_in = n_out


def _with_head(model: nn.Sequential, n_features: int, n_classes: int) -> nn.Sequential:
    model.add_module("average", nn.AdaptiveAvgPool2d(1))
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(n_features, n_classes))
    return model


def _conv3(n_in: int, n_out: int, stride: int) -> nn.Conv2d:
    # A bias would be undone by the BatchNorm that follows; 1×1 images come out 1×1 at stride 2 too.
    return nn.Conv2d(n_in, n_out, 3, stride=stride, padding=1, bias=False)
