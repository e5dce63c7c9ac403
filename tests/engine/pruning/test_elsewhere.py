"""Networks that are not on the CPU are counted, ranked and made smaller like those that are.

For machines without a GPU there is a device that pretends: its tensors are the CPU's, and refuse to meet these. A
network on a GPU fails where a CPU tensor comes in between, or where an array is asked of a tensor that was not
brought back. So it does here: an operation on tensors of both devices raises, except where PyTorch allows it (copies, CPU
scalars, CPU indices), and so does `numpy()`. What this cannot show: that CUDA's own sums round as the tolerance expects.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from prunescope.engine.pruning import (
    accuracy_curve,
    accuracy_of,
    global_curve,
    global_order,
    rank_units,
    remove,
    stream_ablation,
    stream_curve,
    trace,
    unit_ablation,
)
from prunescope.engine.pruning.on_data import stream_quantities
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

# PyTorch knows this one without a library that would have to be there; its own use of it has no part in this.
ELSEWHERE = torch.device("meta")


class Far(Tensor):
    """A tensor elsewhere."""

    near: Tensor

    @staticmethod
    def __new__(cls, near: Tensor) -> "Far":
        # A view of a parameter, which is none of inference mode's tensors, is none either.
        with torch.inference_mode(False):
            return Tensor._make_wrapper_subclass(
                cls, near.size(), strides=near.stride(), storage_offset=near.storage_offset(), dtype=near.dtype,
                device=ELSEWHERE,
            )  # fmt: skip

    def __init__(self, near: Tensor) -> None:
        self.near = near

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})

    def __repr__(self, **_: Any) -> str:
        return f"Far({self.near!r})"


class Mode(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return run(func, args, kwargs or {})


class Made(TorchFunctionMode):
    """Tensors made of arrays and lists: PyTorch makes these behind the back of a dispatch mode."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.as_tensor, torch.tensor) and kwargs.get("device") is not None:
            device = kwargs.pop("device")
            return func(*args, **kwargs).to(device)
        return func(*args, **kwargs)


def run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    flat, _ = tree_flatten((args, kwargs))
    tensors = [one for one in flat if isinstance(one, Tensor)]
    far = [one for one in tensors if isinstance(one, Far)]
    name = func.overloadpacket.__name__
    meets = [one for one in tensors if not isinstance(one, Far) and one.ndim]
    if (
        far
        and meets
        and name != "copy_"
        and not (name in ("index", "index_put", "index_put_") and isinstance(args[0], Far))
    ):
        raise RuntimeError(f"{name}: Expected all tensors to be on the same device, but found {ELSEWHERE} and cpu.")
    there = bool(far)
    if name == "copy_":
        there = isinstance(args[0], Far)
    if kwargs.get("device") is not None:
        there = torch.device(kwargs["device"]).type == ELSEWHERE.type
        kwargs = kwargs | {"device": torch.device("cpu")}
    result = func(*tree_map(_near, args), **tree_map(_near, kwargs))
    if not there:
        return result
    # What works in place gives back the tensor that it was given.
    known = {id(one.near): one for one in far}
    return tree_map(lambda one: known[id(one)] if id(one) in known else _far(one), result)


def _near(one: Any) -> Any:
    return one.near if isinstance(one, Far) else one


def _far(one: Any) -> Any:
    return Far(one) if isinstance(one, Tensor) else one


@contextmanager
def a_device() -> Iterator[torch.device]:
    """Inside, tensors can be made on, and sent to, the device that is yielded."""
    with Mode(), Made():
        yield ELSEWHERE


def sent(model: nn.Module) -> nn.Module:
    """The model there, parameters and buffers."""
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(Far(parameter.detach()), requires_grad=parameter.requires_grad)
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = Far(buffer)
    return model


@pytest.fixture
def device() -> Iterator[torch.device]:
    with a_device() as found:
        yield found


def test_the_device_refuses_what_another_device_would(device, convnet, images):
    model = sent(copy.deepcopy(convnet))
    with torch.no_grad():
        assert torch.equal(model(images[0].to(device)).cpu(), convnet(images[0]))
        with pytest.raises(RuntimeError, match="same device"):
            model(images[0])
        with pytest.raises((RuntimeError, TypeError)):
            model(images[0].to(device)).numpy()


NETS = [
    ("convnet", "0"),
    ("convnet", "3"),
    ("mlp", "1"),
    ("mlp", "3"),
    ("residual", "3.conv1"),
    ("residual", "4.conv2"),
]


@pytest.mark.parametrize(("net", "layer"), NETS)
def test_curves_and_ablations_are_those_of_the_cpu(net, layer, request, images, device):
    near = request.getfixturevalue(net)
    far = sent(copy.deepcopy(near))
    images = images[0], images[1] % 5
    order = np.random.default_rng(0).permutation(trace(near).units(layer))
    here, there = (accuracy_curve(model, layer, order, *images) for model in (near, far))
    assert there.correct.tolist() == here.correct.tolist()
    assert there.path == here.path
    *_, last = stream_curve(far, layer, order, *images)
    assert last.correct.tolist() == here.correct.tolist()
    alone = unit_ablation(near, layer, *images)
    assert unit_ablation(far, layer, *images).correct.tolist() == alone.correct.tolist()
    *_, streamed = stream_ablation(far, layer, *images)
    assert streamed.correct.tolist() == alone.correct.tolist()


@pytest.mark.parametrize("base", ["taylor", "activation-std", "ablation"])
def test_what_criteria_measure_is_the_same(base, convnet, images, device):
    far = sent(copy.deepcopy(convnet))
    *_, here = stream_quantities(trace(convnet), base, ["0", "3"], *images)
    *_, there = stream_quantities(trace(far), base, ["0", "3"], *images)
    for key, values in here.quantities.items():
        np.testing.assert_allclose(there.quantities[key], values, rtol=1e-6)


@pytest.mark.parametrize("criterion", ["l2", "bn-scale", "one-per-cluster", "frame-potential"])
def test_orders_are_the_same(criterion, convnet, device):
    far = sent(copy.deepcopy(convnet))
    assert rank_units(far, "0", criterion).tolist() == rank_units(convnet, "0", criterion).tolist()


def test_layers_together_a_chosen_set_and_the_smaller_network(convnet, images, device):
    far = sent(copy.deepcopy(convnet))
    pairs = global_order(convnet, ["0", "3"], "l2")
    assert global_order(far, ["0", "3"], "l2") == pairs
    assert global_curve(far, pairs, *images).correct.tolist() == global_curve(convnet, pairs, *images).correct.tolist()
    gone = {"0": [1, 4], "3": [0]}
    assert accuracy_of(far, gone, *images).correct == accuracy_of(convnet, gone, *images).correct
    with torch.no_grad():
        smaller = remove(far, gone, input_shape=images[0].shape[1:])
        expected = remove(convnet, gone, input_shape=images[0].shape[1:])(images[0])
        assert torch.allclose(smaller(images[0].to(device)).cpu(), expected, atol=1e-6)
