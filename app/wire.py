"""Values on their way to a browser: as JSON, or as a frame of named arrays."""

import json
import math
import struct
from collections.abc import Mapping, Sequence
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


def pack(head: dict[str, Any], epochs: Sequence[float], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """One frame: length, JSON header, then the arrays that it lists, each aligned to four bytes."""
    head = dict(head)
    payload: list[bytes] = []
    if rows:
        head["epochs"] = epochs
        head["arrays"], head["plain"] = {}, {}
        for name, first in rows[0].items():
            if isinstance(first, np.ndarray):
                stack = np.stack([row[name] for row in rows])
                stack = stack.astype("<i4" if stack.dtype.kind in "iub" else "<f4")
                head["arrays"][name] = {"dtype": stack.dtype.str, "shape": stack.shape}
                payload.append(stack.tobytes())
            else:
                head["plain"][name] = [_finite(row[name]) for row in rows]
    text = json.dumps(head, allow_nan=False, separators=(",", ":"), default=_plain).encode()
    text += b" " * (-len(text) % 4)
    body = b"".join(payload)
    return struct.pack("<II", len(text), len(body)) + text + body


def _finite(value: Any) -> Any:
    """JSON has no nan; the page draws null as a gap."""
    return None if isinstance(value, float | np.floating) and not np.isfinite(value) else value


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_finite(item) for item in value.tolist()] if value.ndim == 1 else value.tolist()
    if isinstance(value, np.generic):
        return _finite(value.item())
    raise TypeError(f"{type(value).__name__} cannot be sent to a page")
