"""Numbers and nouns as the pages say them."""

from prunescope.engine.store import LayerInfo, Run, StoreError

_WORDS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)


def spelled(number: int) -> str:
    return _WORDS[number] if number < len(_WORDS) else str(number)


def units(layer: LayerInfo, count: int | None = None) -> str:
    """``filters`` or ``neurons``, with the count where one is given."""
    noun = "filter" if layer.kind == "conv" else "neuron"
    if count is None:
        return noun + "s"
    return f"{count} {noun}" + ("" if count == 1 else "s")


def epoch_text(epoch: float) -> str:
    return f"epoch {epoch:.0f}" if float(epoch).is_integer() else f"epoch {epoch:.2f}"


def signed(value: float, digits: int = 1) -> str:
    """With a true minus sign, as figures are set in print."""
    return f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")


def chosen_layer(run: Run, name: str) -> LayerInfo:
    """The layer that a link names, or the first one.

    Raises
    ------
    ValueError
        If the run has recorded no such layer, or none yet.
    """
    if not run.layers:
        raise ValueError(run.error or f"{run.name}: no layer recorded yet. The first snapshot brings them.")
    if not name:
        return run.layers[0]
    try:
        return run.layer(name)
    except StoreError as problem:
        raise ValueError(str(problem)) from None
