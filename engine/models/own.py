"""`module:callable`: the user's own network."""

from prunescope.engine.custom import call_with, load_callable
from prunescope.engine.models.shape import Shape
from torch import nn


def own_model(shape: Shape) -> nn.Module:
    """Call the user's function or class with those of the following that it takes.

    `input_shape`, `n_classes`, `width` and, when given, `hidden`.

    Raises
    ------
    ValueError
        When what it returns is no `nn.Module`.
    """
    offered = {"input_shape": shape.input_shape, "n_classes": shape.n_classes, "width": shape.width}
    if shape.hidden:
        offered["hidden"] = shape.hidden
    model = call_with(load_callable(shape.name), offered)
    if not isinstance(model, nn.Module):
        raise ValueError(f"model: {shape.name} returned {type(model).__name__}: return a torch.nn.Module.")
    return model
