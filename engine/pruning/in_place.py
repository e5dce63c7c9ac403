"""Rewrite in-place operations of a traced network.

They would overwrite values that are computed once and used for every mask.
"""

import inspect
import operator
from collections.abc import Callable
from typing import Any

import torch
from prunescope.engine.pruning.errors import PruningError
from torch import fx

_OPERATORS: dict[str, Callable[..., Any]] = {
    "iadd": operator.add,
    "isub": operator.sub,
    "imul": operator.mul,
    "itruediv": operator.truediv,
}
_VIEWS = {"view", "reshape", "flatten", "getitem", "squeeze", "unsqueeze", "permute", "transpose", "chunk"}


def write_out_of_place(graph_module: fx.GraphModule) -> None:
    """Replace in-place operations by their pure forms.

    Raises
    ------
    PruningError
        If a value is used again after it was overwritten: then the pure form would compute something else.
    """
    place = {node: i for i, node in enumerate(graph_module.graph.nodes)}
    for node in place:
        if not _make_pure(graph_module, node):
            continue
        for value in _and_its_views(node.all_input_nodes[0]):
            later = [user.name for user in value.users if user is not node and place[user] > place[node]]
            if later:
                raise PruningError(
                    f"the forward overwrites {value.name!r} in place at {node.name!r} and uses it again at "
                    f"{later[0]!r}. Write that operation without inplace=True, so that both are well defined."
                )
    graph_module.recompile()


def _and_its_views(node: fx.Node) -> list[fx.Node]:
    """A value and what it is a view of: they share memory."""
    found = [node]
    while _name(node) in _VIEWS or _name(node) == "Flatten":
        node = node.all_input_nodes[0]
        found.append(node)
    return found


def _name(node: fx.Node) -> str:
    if node.op == "call_module":
        return type(node.graph.owning_module.get_submodule(node.target)).__name__
    return node.target if node.op == "call_method" else getattr(node.target, "__name__", "")


def _make_pure(graph_module: fx.GraphModule, node: fx.Node) -> bool:
    """Rewrite one node; True if it wrote in place."""
    if node.op == "call_module":
        module = graph_module.get_submodule(node.target)
        # A module shared by several calls was already turned by the first of them.
        was = getattr(module, "inplace", False) or getattr(module, "_was_inplace", False)
        if was:
            module.inplace, module._was_inplace = False, True
        return bool(was)
    name = _name(node)
    if node.op == "call_function" and name in _OPERATORS:
        node.target = _OPERATORS[name]
        return True
    if name.endswith("_") and not name.endswith("__"):
        pure = getattr(torch.Tensor if node.op == "call_method" else torch, name[:-1], None)
        if pure is None:
            raise PruningError(f"the forward calls {name}, which writes in place; write it without.")
        node.target = name[:-1] if node.op == "call_method" else pure
        return True
    if node.op != "call_function":
        return False
    if node.kwargs.get("inplace"):
        node.kwargs = {**node.kwargs, "inplace": False}
        return True
    try:
        at = list(inspect.signature(node.target).parameters).index("inplace")
    except (TypeError, ValueError):  # a builtin without a signature, or without that parameter
        return False
    if len(node.args) <= at or not node.args[at]:
        return False
    node.args = (*node.args[:at], False, *node.args[at + 1 :])
    return True
