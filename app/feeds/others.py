"""The second network of a comparison: another run of the same log directory."""

from prunescope.app.feeds.layers import Snapshot, epoch_of, snapshot
from prunescope.engine.store import LayerInfo, Run, Store, StoreError


def other_run(run: Run, name: str) -> Run:
    """The run called ``name`` that lies beside this one.

    Raises
    ------
    ValueError
        If there is no such run, or it has recorded nothing.
    """
    try:
        other = Store(run.path.parent).run(name)
    except StoreError as problem:
        raise ValueError(str(problem)) from None
    if not len(other.epochs):
        raise ValueError(f"{other.name} has recorded nothing yet. Choose another run to compare with.")
    return other


def same_layer(run: Run, other: Run, layer: LayerInfo) -> LayerInfo:
    """The layer of the other run that stands for this one: of the same name, reading as many inputs.

    Raises
    ------
    ValueError
        If it has none, or one of another fan-in.
    """
    try:
        found = other.layer(layer.name)
    except StoreError as problem:
        raise ValueError(str(problem)) from None
    if found.fan_in != layer.fan_in:
        raise ValueError(
            f"{layer.name} reads {layer.fan_in} inputs in {run.name} and {found.fan_in} in {other.name}: "
            "two layers are compared that read the same inputs. Choose another layer or run."
        )
    return found


def other_snapshot(other: Run, layer: LayerInfo, epoch: float) -> Snapshot:
    return snapshot(other, layer, epoch_of(other, epoch))
