"""What the page may ask about units of a layer: which to select, and the network without them as a file."""

import tempfile
from pathlib import Path
from typing import Any

from flask import Flask, Response, request
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.joint import read_shares
from prunescope.app.feeds.pruning import pruned_together
from prunescope.app.feeds.selection import redundant_units
from prunescope.app.feeds.words import chosen_layer
from prunescope.app.guard import problem
from prunescope.app.state import read_view
from prunescope.engine.store import Store, StoreError

TAKE_AWAY = {"mask-json": ".json", "mask-state": ".pt", "model": ".pt"}


def register(server: Flask, store: Store, evaluator: Evaluator) -> None:
    """Answer ``/api/units`` and ``/api/take-away``."""

    @server.get("/api/units")
    def redundant() -> Any:
        """Units that a redundancy question removes, for the page to select."""
        try:
            run = store.run(request.args.get("run", ""))
            layer = chosen_layer(run, request.args.get("layer", ""))
            weights = run.weights(layer.name, request.args.get("epoch", -1.0, type=float))
            chosen = redundant_units(
                weights,
                request.args.get("kind", ""),
                request.args.get("k", 4, type=int),
                request.args.get("cluster", 0, type=int),
            )
        except (ValueError, StoreError) as error:
            return problem(422, str(error))
        return {"units": chosen}

    @server.get("/api/take-away")
    def take_away() -> Any:
        """A mask, or the state dict of the physically smaller network, as a file."""
        view = read_view(request.args)
        kind = request.args.get("kind", "")
        if kind not in TAKE_AWAY:
            return problem(400, "This kind of file is unknown.", kind[:40], f"Use one of {', '.join(TAKE_AWAY)}.")
        try:
            run = store.run(view["run"])
            layer = chosen_layer(run, view["layer"])
            epoch = request.args.get("epoch", -1.0, type=float)
            scope = str(view["scope"])
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "file"
                asked = {
                    "scope": scope, "layer": layer.name, "layers": pruned_together(run), "criterion": view["crit"],
                    "share": float(view["frac"]) / 100, "shares": read_shares(view["mix"], run),
                }  # fmt: skip
                *_, told = evaluator.ask("take_away", run=run.id, epoch=epoch, kind=kind, path=str(path), **asked)
                data = path.read_bytes()
        except (ValueError, StoreError, OSError) as error:
            return problem(422, str(error))
        where = layer.name if scope == "layer" else "all-layers" if scope == "all" else "layers"
        count = sum(told["removed"].values())
        name = f"{run.id}_{where}_epoch-{epoch:g}_{kind}_{count}-removed{TAKE_AWAY[kind]}"
        return Response(
            data, mimetype="application/octet-stream", headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )
