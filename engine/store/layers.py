"""What a run says about each of its layers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import prod
from typing import Any

from prunescope.engine.store.errors import StoreError

RECORD_DTYPES = ("float32", "float16")


@dataclass(frozen=True, kw_only=True)
class LayerInfo:
    """A layer with units, and how its weights are recorded.

    Parameters
    ----------
    name : str
        Module path, e.g. ``features.0``; empty when the whole model is one layer.
    kind : str
        ``conv``, ``linear`` or ``other``.
    units, fan_in : int
        The weights are reshaped to ``(units, fan_in)`` along axis 0.
    shape : tuple of int
        Shape of the weight tensor.
    dtype : str
        ``float32``, or ``float16`` with one scale per row (angles err by at most 0.007°, half the space).

    Raises
    ------
    StoreError
        If the numbers do not fit together.
    """

    name: str
    kind: str
    units: int
    fan_in: int
    shape: tuple[int, ...]
    dtype: str = "float32"

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(int(size) for size in self.shape))
        if self.units < 1 or self.fan_in < 1:
            raise StoreError(
                f"layer {self.name!r}: {self.units} units of {self.fan_in} weights; need 1 or more"
            )
        if not self.shape or self.shape[0] != self.units or prod(self.shape) != self.units * self.fan_in:
            raise StoreError(
                f"layer {self.name!r}: shape {self.shape} is not {self.units} units × {self.fan_in}"
            )
        if self.dtype not in RECORD_DTYPES:
            raise StoreError(
                f"layer {self.name!r}: dtype {self.dtype!r}; choose from {', '.join(RECORD_DTYPES)}"
            )

    @property
    def weight_name(self) -> str:
        """Name of the weight in the model's state dict."""
        return f"{self.name}.weight" if self.name else "weight"

    def to_dict(self) -> dict[str, Any]:
        """JSON-able form."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "LayerInfo":
        """Inverse of `to_dict`; every value is checked for its type, as it may be a stranger's."""
        return cls(
            name=_typed(data, "name", str),
            kind=_typed(data, "kind", str),
            units=_typed(data, "units", int),
            fan_in=_typed(data, "fan_in", int),
            shape=tuple(_typed({"shape": size}, "shape", int) for size in _typed(data, "shape", list)),
            dtype=_typed(data, "dtype", str),
        )


def _typed(data: Mapping[str, Any], key: str, kind: type) -> Any:
    value = data.get(key)
    if type(value) is not kind:
        raise StoreError(f"layer: {key} is {value!r}, not a {kind.__name__}")
    return value
