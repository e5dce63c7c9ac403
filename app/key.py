"""One thing that a user can set: what it may be, and how a link says it."""

from dataclasses import dataclass
from typing import Any, Literal

# Room for a long selection of units; an address beyond a few thousand characters is cut by some programs.
TEXT_LENGTH = 4000

Kind = Literal["text", "number", "choice", "flag", "run", "option", "several"]


@dataclass(frozen=True, kw_only=True)
class Key:
    """One thing a user can set.

    ``reach`` says who must answer a change: ``rows`` asks the server to compute, ``template`` asks it
    only how to draw, ``local`` needs nobody.
    """

    name: str
    kind: Kind
    label: str
    default: Any
    reach: Literal["rows", "template", "local"]
    pages: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[tuple[str, str], ...] = ()
    unit: str = ""
    # What 0 means, where it means something else than the number.
    zero: str = ""
    help: str = ""
    more: bool = False

    def read(self, raw: str | None) -> Any:
        """The value a link carries, or the default where it carries none that is possible."""
        if raw is None:
            return self.default
        if self.kind == "flag":
            return raw == "1"
        if self.kind == "number":
            try:
                value = float(raw)
            except ValueError:
                return self.default
            if value != value or not self._low <= value <= self._high:
                return self.default
            return int(value) if value == int(value) else value
        if self.kind == "choice":
            return raw if raw in dict(self.choices) else self.default
        if self.kind == "several":
            known = [part for part in dict.fromkeys(raw.split(",")) if part in dict(self.choices)]
            return ",".join(known[: int(self._high)])
        return raw[:TEXT_LENGTH]

    @property
    def _low(self) -> float:
        return -1e12 if self.minimum is None else self.minimum

    @property
    def _high(self) -> float:
        return 1e12 if self.maximum is None else self.maximum
