"""Build a network by name, initialised from a seed without touching anyone else's random numbers."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

import torch
from prunescope.engine.models.catalog import model_spec
from prunescope.engine.models.init import initialise
from prunescope.engine.models.shape import Shape
from torch import nn

if TYPE_CHECKING:
    from prunescope.engine.config import RunConfig
    from prunescope.engine.data.dataset import Dataset


def build_for(config: "RunConfig", dataset: "Dataset") -> nn.Module:
    """The network that a run asks for, fit to its data; see `build_model`."""
    return build_model(
        config.model,
        input_shape=dataset.input_shape,
        n_classes=dataset.n_classes,
        width=config.width,
        hidden=config.hidden,
        init=config.init,
        init_scale=config.init_scale,
        seed=config.seed,
    )


def build_model(
    name: str,
    *,
    input_shape: Sequence[int],
    n_classes: int,
    width: float = 1.0,
    hidden: Sequence[int] = (),
    init: str = "default",
    init_scale: float = 1.0,
    seed: int = 0,
) -> nn.Module:
    """A network in float32 on the CPU, in training mode.

    The same arguments give the same weights bit for bit, whatever the caller's random state, which
    is left as it was.

    Parameters
    ----------
    input_shape : shape of one example, e.g. (1, 28, 28)
    width : multiplies every hidden layer's units
    hidden : widths of the hidden layers of mlp, channels and xord-net; empty: the model's own
    init, init_scale : see `initialise`

    Raises
    ------
    ValueError
        For an unknown name, or a model that cannot take such inputs.
    """
    shape = _shape_of(name, input_shape, n_classes, width, hidden)
    # No devices listed: only the CPU's generator is saved, seeded and put back. torch.manual_seed
    # would also reseed the graphics cards, which nobody would put back.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = _construct(shape)
        initialise(model, scheme=init, scale=init_scale)
    return model


class ModelSize(NamedTuple):
    """How much a network weighs."""

    parameters: int
    snapshot_bytes: int


def model_size(
    name: str, *, input_shape: Sequence[int], n_classes: int, width: float = 1.0, hidden: Sequence[int] = ()
) -> ModelSize:
    """Parameters of a network, and bytes of one float32 snapshot of it, without allocating either.

    Raises
    ------
    ValueError
        As `build_model`.
    """
    with torch.device("meta"):
        model = _construct(_shape_of(name, input_shape, n_classes, width, hidden))
    return ModelSize(
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        snapshot_bytes=sum(value.numel() * value.element_size() for value in model.state_dict().values()),
    )


def _shape_of(
    name: str, input_shape: Sequence[int], n_classes: int, width: float, hidden: Sequence[int]
) -> Shape:
    spec = model_spec(name)
    if problem := spec.accepts(tuple(input_shape)):
        raise ValueError(f"model: {name} {problem}")
    return Shape(
        name=name,
        input_shape=tuple(input_shape),
        n_classes=n_classes,
        width=width,
        hidden=tuple(hidden) or spec.hidden or (),
    )


def _construct(shape: Shape) -> nn.Module:
    module, function = model_spec(shape.name).builder.split(":")
    model: nn.Module = getattr(import_module(f"prunescope.engine.models.{module}"), function)(shape)
    return model
