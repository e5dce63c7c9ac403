"""Other embeddings of a layer: asked for by name, of one epoch that stays until another is asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.layers import epoch_of, fitted_epoch
from prunescope.app.feeds.similarity import named_clusters
from prunescope.app.feeds.words import chosen_layer, epoch_text, units
from prunescope.app.figures import similarity as figures
from prunescope.engine.recent import Recent
from prunescope.engine.store import LayerInfo, Run

NAMES = {"tsne": "t-SNE", "mds": "MDS", "isomap": "Isomap", "spectral": "spectral embedding"}
KEPT = 8


@dataclass(frozen=True)
class EmbeddingMemory:
    layer: LayerInfo
    method: str
    epoch: float
    by: str
    fitted: float
    n_clusters: int


class EmbeddingFeed:
    """One picture, refined step by step; the scrubber does not move it."""

    answers = True
    keys = ("layer", "emb", "embat", "by", "fit", "k")

    def __init__(self) -> None:
        self._done = Recent[tuple[Any, ...], dict[str, Any]](KEPT)

    def begin(self, run: Run, view: dict[str, Any]) -> EmbeddingMemory:
        layer = chosen_layer(run, view["layer"])
        asked = float(view["embat"]) if view["embat"] >= 0 else float(view.get("at", run.epochs[-1]))
        return EmbeddingMemory(
            layer=layer,
            method=view["emb"],
            epoch=epoch_of(run, asked),
            by=view["by"],
            fitted=fitted_epoch(run, view),
            n_clusters=min(int(view["k"]), layer.units),
        )

    def settled(self, memory: EmbeddingMemory) -> dict[str, Any]:
        chosen = {} if memory.method == "none" else {"embat": memory.epoch}
        return {"layer": memory.layer.name, "fit": memory.fitted} | chosen

    def answer(
        self, run: Run, memory: EmbeddingMemory, view: dict[str, Any], epoch: float, evaluator: Evaluator
    ) -> Iterator[dict[str, Any]]:
        nothing = np.full(memory.layer.units, np.nan)
        blank = {"emb_x": nothing, "emb_y": nothing, "emb_labels": np.zeros(len(nothing), dtype=int)}
        if memory.method == "none":
            yield blank | {"emb_said": "", "emb_problem": ""}
            return
        key = (run.id, run.created, memory)
        known = self._done.get(key)
        if known is not None:
            yield known | self._colours(run, memory)
            return
        name = f"{NAMES[memory.method]} of {epoch_text(memory.epoch)}"
        if memory.by == "activations":
            name += ", by activations"
        row: dict[str, Any] = (
            blank | self._colours(run, memory) | {"emb_said": f"{name}: computing …", "emb_problem": ""}
        )
        yield row
        asked = evaluator.ask(
            "embed",
            priority=3,
            run=run.id,
            layer=memory.layer.name,
            epoch=memory.epoch,
            method=memory.method,
            by=memory.by,
        )
        try:
            for message in asked:
                points = np.array([place or (np.nan, np.nan) for place in message["points"]])
                going = "" if message["step"] == message["steps"] else f": step {message['step']} of {message['steps']}"
                row = row | {"emb_x": points[:, 0], "emb_y": points[:, 1], "emb_said": name + going}
                yield row | self._colours(run, memory)
        except ValueError as problem:
            yield row | {"emb_said": name, "emb_problem": figures.wrapped(str(problem))}
            return
        self._done.put(key, row)

    @staticmethod
    def _colours(run: Run, memory: EmbeddingMemory) -> dict[str, Any]:
        labels = named_clusters(run, memory.layer, memory.n_clusters, memory.fitted, memory.epoch)
        return {"emb_labels": labels}

    def templates(self, run: Run, memory: EmbeddingMemory, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        drawn = (
            {}
            if memory.method == "none"
            else {"embedding": figures.embedding(theme, units(memory.layer)[:-1], memory.n_clusters)}
        )
        return {"figures": drawn, "texts": {"similarity-embedding": {"$": "emb_said", "at": "epoch"}}, "lists": {}}
