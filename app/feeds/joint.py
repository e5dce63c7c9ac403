"""Several layers pruned together, each by its own share: one mask, one number."""

from collections.abc import Iterator
from typing import Any

from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.words import epoch_text, percent
from prunescope.app.figures.template import ref
from prunescope.engine.pruning.interval import wilson_interval
from prunescope.engine.store import Run


def read_shares(text: str, run: Run) -> dict[str, float]:
    """Shares from 0 to 1 by layer, out of ``conv1:50,fc1:20``; what is no layer or no share is left out."""
    known = {layer.name for layer in run.layers}
    shares = {}
    for part in text.split(","):
        name, _, share = part.rpartition(":")
        if name in known and share.isdigit() and 0 <= int(share) <= 100:
            shares[name] = int(share) / 100
    return shares


def answer(run: Run, view: dict[str, Any], epoch: float, evaluator: Evaluator) -> Iterator[dict[str, Any]]:
    """The accuracy without these shares of the layers, refined until it is exact."""
    shares = read_shares(view["mix"], run)
    for found in evaluator.ask("joint", run=run.id, epoch=epoch, criterion=view["crit"], shares=shares):
        seen, total = found["seen"], found["total"]
        low, high = wilson_interval(found["correct"], seen)
        accuracy, dense = 100 * found["correct"] / seen, 100 * found["dense"] / seen
        gone = [f"{percent(shares[name])} of {name}" for name, count in found["removed"].items() if count]
        exact = seen == total
        yield {
            "finding": f"Without {listed(gone)} the network keeps {accuracy:.1f} %; whole, {dense:.1f} %."
            if gone
            else "Nothing is removed yet: give each layer its share.",
            "sub": f"{run.name} · each layer by its own share · {epoch_text(epoch)} · {total} held-out examples · "
            + ("exact" if exact else f"estimate from {seen} of {total} examples"),
            "big": f"{accuracy:.1f}",
            "big_error": f"% ± {50 * float(high - low):.1f}",
            "note": f"without {sum(found['removed'].values())} units · whole {dense:.1f} % · {epoch_text(epoch)}",
            "exact": f"= exact, {total} examples" if exact else "",
            "estimate": "" if exact else f"≈ estimate, {seen} of {total}",
            "path": "all layers at once",
            "partial": 0.0,
        }


def listed(parts: list[str]) -> str:
    """``a, b and c``."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def texts() -> dict[str, Any]:
    return {
        "pruning-finding": ref("finding"),
        "pruning-sub": ref("sub"),
        "pruning-big": ref("big"),
        "pruning-big-error": ref("big_error"),
        "pruning-big-note": ref("note"),
        "pruning-exact": ref("exact"),
        "pruning-estimate": ref("estimate"),
        "pruning-path": ref("path"),
    }
