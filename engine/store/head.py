"""The one small record that is ever overwritten: how far a run is."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from prunescope.engine.store.errors import RunDamaged
from prunescope.engine.store.records import Record, pack_json, unpack_json

STATES = ("queued", "running", "paused", "done", "stopped", "failed")
# A head beyond 32 KiB would become a file, and overwriting a file is not atomic.
LONGEST_MESSAGE = 2000


@dataclass(frozen=True, kw_only=True)
class Head:
    """How far a run is, as its writer committed it last.

    Parameters
    ----------
    version : int
        Moves on with every commit and change of state.
    n_snapshots : int
    epoch : float or None
        Last committed epoch.
    total_epochs : float or None
        What the run aims at; None if unknown.
    state, message : str
        What the writer said last (`Run.status` weighs it against the lock and the heartbeat), and in words.
    durable_epoch : float or None
        Everything up to it survives a power cut, not only a kill.
    updated : float
        Unix seconds.
    best : dict or None
        ``{"metric", "value", "epoch"}`` of the best accuracy so far.
    """

    version: int = 0
    n_snapshots: int = 0
    epoch: float | None = None
    total_epochs: float | None = None
    state: str = "queued"
    message: str = ""
    durable_epoch: float | None = None
    updated: float = 0.0
    best: dict[str, Any] | None = None

    def pack(self) -> Record:
        """The head as a record."""
        return pack_json(asdict(self))

    @classmethod
    def unpack(cls, data: bytes, what: str) -> "Head":
        """Inverse of `pack`; RunDamaged if it is not a head."""
        values = unpack_json(data, f"{what}: head")
        try:
            head = cls(**values)
        except TypeError:
            raise RunDamaged(f"{what}: head: unknown fields; update prunescope") from None
        counts = type(head.version) is int and type(head.n_snapshots) is int
        numbers = (head.epoch, head.total_epochs, head.durable_epoch, head.updated)
        texts = isinstance(head.message, str) and head.state in STATES
        if not (
            counts and texts and all(value is None or isinstance(value, int | float) for value in numbers)
        ):
            raise RunDamaged(f"{what}: head: fields of the wrong type")
        return head


def better(
    best: Mapping[str, Any] | None, metrics: Mapping[str, float], epoch: float
) -> dict[str, Any] | None:
    """The best accuracy after one more epoch; the first of equal ones stays.

    The metric is the one followed before, else ``val/accuracy``, else the first that ends in ``accuracy``.
    """
    names = [name for name in metrics if name.endswith("accuracy")]
    followed = (
        best["metric"] if best else "val/accuracy" if "val/accuracy" in names else next(iter(names), None)
    )
    value = metrics.get(followed) if followed else None
    if value is None or value != value or (best and value <= best["value"]):
        return dict(best) if best else None
    return {"metric": followed, "value": value, "epoch": epoch}
