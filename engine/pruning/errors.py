"""The one error of this package, and the helpers that word it."""

from collections.abc import Iterable
from difflib import get_close_matches


class PruningError(ValueError):
    """A question about pruning that has no answer; the message says what, which value, what to do."""


def unknown(what: str, value: object, known: Iterable[str]) -> PruningError:
    """An error that lists what is known and guesses what was meant."""
    names = list(known)
    close = get_close_matches(str(value), names, n=1)
    guess = f" Did you mean {close[0]!r}?" if close else ""
    return PruningError(f"unknown {what} {value!r}.{guess} Known: {', '.join(names) or 'none'}.")
