"""Settings as data: one description of a field feeds its check, its shell flag and its form control."""

import difflib
import math
import numbers
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field
from typing import Any

TRUE_WORDS = {"1", "true", "yes", "on"}
FALSE_WORDS = {"0", "false", "no", "off"}


class ConfigError(ValueError):
    """Settings that cannot be used, with every problem at once.

    Attributes
    ----------
    problems : dict
        Field name → what is wrong, with which value, and what to do.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__("\n".join(f"{name}: {message}" for name, message in self.problems.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are rebuilt from their args; ours is built from the dict, and crosses process pools.
        return type(self), (self.problems,)


@dataclass(frozen=True, kw_only=True)
class FieldSpec:
    """What a form, a shell flag and a check need to know of one setting.

    Attributes
    ----------
    kind : "int", "float", "str", "choice", "bool" or "list"
    item : "int", "float" or "str", what a list holds
    basic : shown first; the others wait under "More"
    patterns : forms that a choice accepts besides its listed names, in words
    """

    name: str
    label: str
    help: str
    group: str
    kind: str
    default: Any
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    item: str = "str"
    optional: bool = False
    basic: bool = False
    patterns: str = ""

    def clean(self, value: Any) -> Any:
        """The value in its canonical type.

        Raises
        ------
        ValueError
            With what is wrong and what to do; the field's name is left to the caller.
        """
        if self.optional and value in (None, ""):
            return None
        if self.kind == "list":
            return self._clean_list(value)
        return self._clean_one(self.kind, value)

    def parse(self, text: str) -> Any:
        """The value that a text means: a shell flag, an environment variable, a form control.

        Lists are separated by commas. Raises ValueError like `clean`.
        """
        text = text.strip()
        if self.kind == "list":
            parts = [part.strip() for part in text.split(",") if part.strip()]
            to = {"int": int, "float": float}.get(self.item, str)
            return self.clean([_number(part, to) for part in parts])
        if self.kind == "bool" and text.lower() in TRUE_WORDS | FALSE_WORDS:
            return text.lower() in TRUE_WORDS
        if self.kind in ("int", "float") and not (self.optional and not text):
            return self.clean(_number(text, int if self.kind == "int" else float))
        return self.clean(text)

    def _clean_list(self, value: Any) -> tuple[Any, ...]:
        if isinstance(value, str) or not isinstance(value, Iterable) or isinstance(value, Mapping):
            raise ValueError(f"{_show(value)} is not a list: write [{_EXAMPLES[self.item]}].")
        items = tuple(self._clean_one(self.item, item) for item in value)
        if len(items) > 1000:
            raise ValueError(f"{len(items)} entries are too many: give at most 1,000.")
        return items

    def _clean_one(self, kind: str, value: Any) -> Any:
        if kind == "bool":
            if isinstance(value, bool):
                return value
            raise ValueError(f"{_show(value)} is neither true nor false: choose one.")
        if kind in ("int", "float"):
            return self._clean_number(kind, value)
        if not isinstance(value, str):
            raise ValueError(f"{_show(value)} is not a text: {self._advice(kind)}.")
        if len(value) > 1000 or not value.isprintable():
            raise ValueError(f"{_show(value)} is too long or has control characters: use letters.")
        if kind == "choice" and not self.patterns and value not in self.choices:
            raise ValueError(unknown_name(value, self.choices))
        return value

    def _clean_number(self, kind: str, value: Any) -> int | float:
        # NumPy's numbers are welcome: sweeps are made of them.
        is_number = isinstance(value, numbers.Integral if kind == "int" else numbers.Real)
        if isinstance(value, bool) or not is_number:
            raise ValueError(f"{_show(value)} is not a {_NOUNS[kind]}: {self._advice(kind)}.")
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        # Written so that nan, which is in no order with anything, falls outside too.
        if not (low <= value <= high) or value in (math.inf, -math.inf):
            raise ValueError(f"{_show(value)} is out of range: {self._advice(kind)}.")
        return int(value) if kind == "int" else float(value)

    def _advice(self, kind: str) -> str:
        if kind == "choice":
            return f"choose one of {', '.join(self.choices)}"
        if kind == "str":
            return "write it in quotes"
        if self.minimum is None or self.maximum is None:
            return f"give a {_NOUNS[kind]}"
        return f"give a {_NOUNS[kind]} from {self.minimum:,} to {self.maximum:,}"


_NOUNS = {"int": "whole number", "float": "number"}
_EXAMPLES = {"int": "300, 100", "float": "0.2, 0.5", "str": '"conv*", "fc1"'}


def setting(default: Any, **described: Any) -> Any:
    """A dataclass field that carries its `FieldSpec` (all but name and default) as metadata."""
    return field(default=default, metadata=described)


def spec_of(described: Field[Any]) -> FieldSpec:
    """The description that `setting` put on a dataclass field."""
    default = None if described.default is MISSING else described.default
    return FieldSpec(name=described.name, default=default, **described.metadata)


def unknown_name(value: str, known: Iterable[str], *, patterns: str = "") -> str:
    """What to say of a name that nobody knows: the nearest one, and all of them."""
    known = list(known)
    # The start of a long name is less alike to it, by letters, than to some short stranger.
    near = [name for name in known if len(value) >= 3 and name.startswith(value.lower())]
    near = near or difflib.get_close_matches(value.lower(), known, n=1, cutoff=0.5)
    guess = f" Did you mean {near[0]!r}?" if near else ""
    more = f", or {patterns}" if patterns else ""
    return f"{_show(value)} is unknown.{guess} Known: {', '.join(known)}{more}."


def _number(text: str, to: type) -> Any:
    try:
        return to(text)
    except ValueError:
        return text  # Left as it is, so that the check names it in its own words.


def _show(value: Any) -> str:
    """The value in a message: whole when short, never a page of it."""
    try:
        shown = repr(value)
    except ValueError:  # Python refuses to print integers of more than 4,300 digits.
        return "A number this long"
    return shown if len(shown) <= 80 else shown[:77] + "…"
