"""Several layers pruned together, each by its own share."""

from collections.abc import Iterator
from typing import Any

from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.words import chosen_layer, epoch_text
from prunescope.engine.pruning.interval import wilson_interval
from prunescope.engine.store import Run


def read_shares(text: str, run: Run) -> dict[str, float]:
    """Shares from 0 to 1 by layer, out of ``conv1:50,fc1:20``; what is no layer or no share is left out."""
    known = {layer.name for layer in run.layers}
    shares = {}
    for part in text.split(","):
        name, _, percent = part.rpartition(":")
        if name in known and percent.isdigit() and 0 <= int(percent) <= 100:
            shares[name] = int(percent) / 100
    return shares


class JointFeed:
    """Answers about one mask over several layers."""

    answers = True
    keys = ("crit", "mix")

    def begin(self, run: Run, view: dict[str, Any]) -> dict[str, float]:
        chosen_layer(run, "")
        return read_shares(view["mix"], run)

    def settled(self, memory: dict[str, float]) -> dict[str, Any]:
        return {}

    def answer(
        self, run: Run, shares: dict[str, float], view: dict[str, Any], epoch: float, evaluator: Evaluator
    ) -> Iterator[dict[str, Any]]:
        if not shares:
            yield {"result": "", "note": "Move a slider: the network is measured without those shares."}
            return
        yield {"result": "measuring …", "note": epoch_text(epoch)}
        for found in evaluator.ask("joint", run=run.id, epoch=epoch, criterion=view["crit"], shares=shares):
            seen, total = found["seen"], found["total"]
            low, high = wilson_interval(found["correct"], seen)
            gone = ", ".join(f"{count} of {name}" for name, count in found["removed"].items())
            yield {
                "result": f"{100 * found['correct'] / seen:.1f} % ± {50 * float(high - low):.1f}",
                "note": f"without {gone} · {epoch_text(epoch)} · "
                + (f"exact on {total} examples" if seen == total else f"estimate from {seen} of {total}"),
            }

    def templates(self, run: Run, memory: Any, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        return {
            "figures": {},
            "texts": {
                "joint-result": {"$": "result", "at": "epoch"},
                "joint-note": {"$": "note", "at": "epoch"},
            },
            "lists": {},
        }
