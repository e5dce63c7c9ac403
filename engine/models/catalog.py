"""The models by name, and which data each fits. Imports no torch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from prunescope.engine.custom import is_custom, is_well_formed
from prunescope.engine.fields import unknown_name


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One architecture.

    Attributes
    ----------
    builder : module and function inside `prunescope.engine.models`
    help : one line for forms and error texts
    inputs : "any" shape, "image" (channels, height, width) or "pairs" (XORD's rows of two)
    smallest : least height and width of an image
    hidden : default of the `hidden` setting, or None where the layers are fixed
    one_hidden : the `hidden` setting takes exactly one width
    normalises : has BatchNorm, which a step on one example cannot feed
    stack : numbers of convolutions and linear layers of a plain stack; a hidden setting has its own
    stages : stages of a residual net, and blocks in each
    """

    builder: str
    help: str
    inputs: str = "image"
    smallest: int = 1
    hidden: tuple[int, ...] | None = None
    one_hidden: bool = False
    normalises: bool = False
    stack: tuple[int, int] | None = None
    stages: tuple[int, int] | None = None

    def accepts(self, input_shape: tuple[int, ...]) -> str | None:
        """Why inputs of this shape do not fit, or None when they do."""
        shown = "×".join(map(str, input_shape))
        if self.inputs == "pairs" and not (len(input_shape) == 2 and input_shape[1] == 2):
            return f"takes pairs of two numbers, and the inputs are {shown}: choose the dataset xord."
        if self.inputs == "image" and len(input_shape) != 3:
            return f"takes images (channels × height × width), and the inputs are {shown}: choose mlp."
        if self.inputs == "image" and min(input_shape[1:]) < self.smallest:
            return f"needs images of at least {self.smallest}×{self.smallest}, and these are {shown}."
        return None


MODELS: dict[str, ModelSpec] = {
    "channels": ModelSpec(
        builder="plain:channels", stack=(1, 1),
        help="conv 3×3, max-pool, linear: the alignment experiment's net (120 filters)",
        smallest=3,
        hidden=(120,),
        one_hidden=True,
    ),
    "lenet-300-100": ModelSpec(
        builder="plain:lenet_300_100", stack=(0, 3),
        help="two hidden layers of 300 and 100 (266,200 weights on 28×28)",
        inputs="any",
    ),
    "mlp": ModelSpec(
        builder="plain:mlp", stack=(0, 1),
        help="hidden linear layers as wide as you say (512 by default)",
        inputs="any",
        hidden=(512,),
    ),
    "conv2": ModelSpec(
        builder="stacked:conv2", stack=(2, 3), help="2 conv and 3 linear layers (Frankle & Carbin's Conv-2)"
    ),
    "conv4": ModelSpec(builder="stacked:conv4", stack=(4, 3), help="4 conv and 3 linear layers (Conv-4)"),
    "conv6": ModelSpec(builder="stacked:conv6", stack=(6, 3), help="6 conv and 3 linear layers (Conv-6)"),
    "alexnet": ModelSpec(
        builder="stacked:alexnet", stack=(5, 3), help="AlexNet's five conv layers, kernels fit to small images"
    ),
    "vgg11": ModelSpec(builder="stacked:vgg11", stack=(8, 1), help="8 conv layers and one linear layer"),
    "vgg19-bn": ModelSpec(
        builder="stacked:vgg19_bn", stack=(16, 1), normalises=True, help="16 conv layers with BatchNorm and one linear layer"
    ),
    "resnet18": ModelSpec(
        builder="residual:resnet18", stages=(4, 2),
        normalises=True,
        help="residual net of 64 to 512 channels, 11 million weights",
    ),
    "resnet20": ModelSpec(
        builder="residual:resnet20", stages=(3, 3),
        normalises=True,
        help="residual net of 16 to 64 channels: the tickets paper's Resnet-18",
    ),
    "wrn-16-4": ModelSpec(
        builder="residual:wide_resnet", normalises=True, help="wide residual net, depth 16, width ×4"
    ),
    "wrn-28-10": ModelSpec(
        builder="residual:wide_resnet", normalises=True, help="wide residual net, depth 28, width ×10"
    ),
    "xord-net": ModelSpec(
        builder="plain:xord_net",
        help="XORD's own net: k neurons for, k against; only they are trained",
        inputs="pairs",
        hidden=(60,),
        one_hidden=True,
    ),
}

MODEL_PATTERNS = "wrn-d-k with d = 6n + 4, module:callable (from the shell only)"
CUSTOM = ModelSpec(builder="own:own_model", help="module:callable", inputs="any")
_WIDE = re.compile(r"^wrn-(\d{1,3})-(\d{1,2})$")
_WIDE_SPEC = ModelSpec(
    builder="residual:wide_resnet", normalises=True, help="wide residual net, depth d, width ×k"
)


def wide_resnet_shape(name: str) -> tuple[int, int]:
    """Depth and widening factor of a `wrn-d-k`.

    Raises
    ------
    ValueError
        For any other name.
    """
    match = _WIDE.match(name)
    if match is None:
        raise ValueError(f"model: {name!r} is no wide residual net: write it like wrn-16-4.")
    return int(match[1]), int(match[2])


def model_problem(name: str) -> str | None:
    """What is wrong with a model's name, or None."""
    if _WIDE.match(name):
        depth, factor = wide_resnet_shape(name)
        if depth < 10 or depth > 100 or (depth - 4) % 6:
            return f"{name!r} has no such depth: take d = 6n + 4 from 10 to 100, e.g. wrn-16-4."
        if not 1 <= factor <= 20:
            return f"{name!r} has no such width: take k from 1 to 20, e.g. wrn-{depth}-4."
        return None
    if name in MODELS or (is_custom(name) and is_well_formed(name)):
        return None
    return unknown_name(name, MODELS, patterns=MODEL_PATTERNS)


def model_spec(name: str) -> ModelSpec:
    """The description of a model.

    Raises
    ------
    ValueError
        For an unknown name, listing the known ones.
    """
    if problem := model_problem(name):
        raise ValueError(f"model: {problem}")
    return MODELS.get(name, CUSTOM if is_custom(name) else _WIDE_SPEC)


def layer_names(name: str, hidden: tuple[int, ...] = ()) -> tuple[str, ...] | None:
    """Names of the layers with units, in their order, without making the net; None where only making it can tell.

    Raises
    ------
    ValueError
        As `model_spec`.
    """
    spec = model_spec(name)
    if spec.builder == "plain:xord_net":
        return ("w", "u")
    if spec.stack:
        convolutions, linear = spec.stack
        if spec.builder == "plain:mlp":
            linear += len(hidden or spec.hidden or ())
        return (
            *(f"conv{number}" for number in range(1, convolutions + 1)),
            *(f"fc{number}" for number in range(1, linear + 1)),
        )
    if spec.stages:
        stages, blocks = spec.stages
        return ("conv1", *_residual(stages, blocks, "shortcut.0", first=False), "fc")
    if spec is _WIDE_SPEC or name in ("wrn-16-4", "wrn-28-10"):
        depth, factor = wide_resnet_shape(name)
        return ("conv1", *_residual(3, (depth - 4) // 6, "shortcut", first=factor > 1), "fc")
    return None


def _residual(stages: int, blocks: int, shortcut: str, *, first: bool) -> Iterator[str]:
    """Layers of the blocks; `first` says whether the first stage begins with a shortcut of its own."""
    for stage in range(1, stages + 1):
        for block in range(1, blocks + 1):
            place = f"stage{stage}_block{block}"
            yield from (f"{place}.conv1", f"{place}.conv2")
            if block == 1 and (stage > 1 or first):
                yield f"{place}.{shortcut}"
