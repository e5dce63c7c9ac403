"""Convolutional nets that are one stack of layers: Conv-2/4/6, AlexNet, VGG.

A small image passes as many of the max-pools as it has pixels for; no dropout, so that a run is
repeated by its seed alone and every unit takes part in every step.
"""

from prunescope.engine.models.shape import Shape, Stack
from torch import nn

_FRANKLE_BLOCKS = (64, 128, 256)
_POOL = None
_VGG11 = (64, _POOL, 128, _POOL, 256, 256, _POOL, 512, 512, _POOL, 512, 512)
_VGG19 = (64, 64, _POOL, 128, 128, _POOL, *[256] * 4, _POOL, *[512] * 4, _POOL, *[512] * 4)


def conv2(shape: Shape) -> nn.Module:
    """64, 64, pool, 256, 256, classes; 4,300,992 weights on 3×32×32 (Frankle & Carbin 2018, Fig. 2)."""
    return _frankle(shape, blocks=1)


def conv4(shape: Shape) -> nn.Module:
    """Conv-2 with 128, 128, pool before the linear layers; 2,425,024 weights on 3×32×32."""
    return _frankle(shape, blocks=2)


def conv6(shape: Shape) -> nn.Module:
    """Conv-4 with 256, 256, pool before the linear layers.

    2,261,184 weights on 3×32×32, counted; the paper prints 1.7 million.
    """
    return _frankle(shape, blocks=3)


def _frankle(shape: Shape, *, blocks: int) -> nn.Module:
    stack = Stack(shape)
    for units in _FRANKLE_BLOCKS[:blocks]:
        stack.conv(shape.scaled(units))
        stack.conv(shape.scaled(units))
        stack.pool()
    stack.linear(shape.scaled(256))
    stack.linear(shape.scaled(256))
    stack.linear(shape.n_classes, relu=False)
    return stack.model()


def alexnet(shape: Shape) -> nn.Module:
    """AlexNet's widths (64, 192, 384, 256, 256) with 3×3 kernels and no stride.

    Its 11×11 kernels with stride 4 are meant for 224 pixels and would leave nothing of 32. The linear
    layers have 1,024 units in place of 4,096, for 32 pixels leave 4,096 features where 224 leave 9,216.

    References
    ----------
    Krizhevsky 2014 (arXiv 1404.5997), the one-tower form.
    """
    stack = Stack(shape)
    for units, pooled in ((64, True), (192, True), (384, False), (256, False), (256, True)):
        stack.conv(shape.scaled(units))
        if pooled:
            stack.pool()
    stack.linear(shape.scaled(1024))
    stack.linear(shape.scaled(1024))
    stack.linear(shape.n_classes, relu=False)
    return stack.model()


def vgg11(shape: Shape) -> nn.Module:
    """Configuration A of Simonyan & Zisserman 2014, ending as in Frankle & Carbin's VGG-19."""
    return _vgg(shape, _VGG11, norm=False)


def vgg19_bn(shape: Shape) -> nn.Module:
    """Configuration E with BatchNorm, average pool and one linear layer (Frankle & Carbin 2018, Fig. 2)."""
    return _vgg(shape, _VGG19, norm=True)


def _vgg(shape: Shape, plan: tuple[int | None, ...], *, norm: bool) -> nn.Module:
    stack = Stack(shape)
    for units in plan:
        if units is _POOL:
            stack.pool()
        else:
            stack.conv(shape.scaled(units), norm=norm)
    stack.average()
    stack.linear(shape.n_classes, relu=False)
    return stack.model()
