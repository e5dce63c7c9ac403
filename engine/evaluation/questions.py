"""The questions that the dashboard may ask, each a generator of ever better answers (plain JSON).

A generator yields often, so that a newer question can take its place (a ``tick`` is a pause without an
answer), and the last thing that it yields is exact unless it says otherwise.
"""

from collections.abc import Callable, Iterator
from typing import Any

from prunescope.engine.evaluation.embedding import embed
from prunescope.engine.evaluation.orders import ablation, curves, sensitivity, surface, together
from prunescope.engine.evaluation.readings import collapse, correlations, low_rank_swap
from prunescope.engine.evaluation.recording import recording
from prunescope.engine.evaluation.removals import joint, selection, sizes, take_away
from prunescope.engine.evaluation.subject import Subjects

QUESTIONS: dict[str, Callable[[Subjects, dict[str, Any]], Iterator[dict[str, Any]]]] = {
    "curves": curves,
    "ablation": ablation,
    "sensitivity": sensitivity,
    "surface": surface,
    "together": together,
    "selection": selection,
    "joint": joint,
    "sizes": sizes,
    "take_away": take_away,
    "low_rank_swap": low_rank_swap,
    "correlations": correlations,
    "collapse": collapse,
    "embed": embed,
    "recording": recording,
}
