"""Values on their way to a browser."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

DEEPEST = 40


def plain(value: Any, depth: int = 0) -> Any:
    """Return `value` as JSON knows it: numpy as Python, NaN and infinity as None (JSON.parse refuses them).

    What is nested deeper than 40 levels becomes "…": a stranger's run.json may be built to exhaust the stack.
    """
    if depth > DEEPEST:
        return "…"
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, depth + 1) for item in value]
    return value if value is None or isinstance(value, str | int | bool) else str(value)
