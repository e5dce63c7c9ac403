"""Keys of a run's database. Fixed width, so that the order of strings is the order of epochs."""

import math

from prunescope.engine.store.errors import StoreError

HEAD = "head"
SCHEMA = "schema"
LAYERS = "meta/layers"

_DIGITS = 15
_MICRO = 1_000_000


def epoch_key(epoch: float) -> int:
    """Epoch in millionths: two epochs are the same snapshot if and only if these are equal.

    Raises
    ------
    StoreError
        If `epoch` is negative, not finite or beyond 15 digits.
    """
    if not math.isfinite(epoch) or epoch < 0 or round(epoch * _MICRO) >= 10**_DIGITS:
        raise StoreError(f"epoch {epoch!r}: give a finite number from 0 to {10 ** (_DIGITS - 6) - 1}")
    return round(epoch * _MICRO)


def key_epoch(key: int) -> float:
    """The epoch of an epoch key."""
    return key / _MICRO


def weights_key(layer: int, epoch: int) -> str:
    """Key of the weight vectors of one layer at one epoch key."""
    return f"w/{layer:04d}/{epoch:0{_DIGITS}d}"


def metrics_key(epoch: int) -> str:
    """Key of the metrics of one epoch key."""
    return f"m/{epoch:0{_DIGITS}d}"


def state_key(epoch: int) -> str:
    """Key of all other tensors of one epoch key."""
    return f"s/{epoch:0{_DIGITS}d}"


def epoch_of(key: object) -> int | None:
    """Epoch key at the end of a database key, or None if there is none."""
    if not isinstance(key, str):
        return None
    digits = key.rpartition("/")[2]
    return int(digits) if len(digits) == _DIGITS and digits.isascii() and digits.isdigit() else None
