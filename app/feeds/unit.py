"""One unit: its weights as a picture, its norm and angle over epochs, its nearest relatives."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from prunescope.app.evaluator import Evaluator
from prunescope.app.feeds.words import chosen_layer, epoch_text, units
from prunescope.app.figures import unit as figures
from prunescope.engine.geometry import spherical_kmeans
from prunescope.engine.store import LayerInfo, Run

NEAREST = 5
# More input channels than these would be too small to see; the caption says so.
PICTURE_CHANNELS = 16


@dataclass
class UnitMemory:
    layer: LayerInfo
    unit: int
    n_clusters: int
    grid: tuple[int, int]
    tile: tuple[int, int]
    shown_channels: int
    first: np.ndarray


class UnitFeed:
    """What the drawer shows of one unit."""

    keys = ("layer", "unit", "k")

    def begin(self, run: Run, view: dict[str, Any]) -> UnitMemory:
        layer = chosen_layer(run, view["layer"])
        unit = int(view["unit"])
        if not 0 <= unit < layer.units:
            raise ValueError(f"unit: {unit}, but {layer.name} has units 0 to {layer.units - 1}.")
        channels, tile = picture_shape(layer, image_read_by(run, layer))
        columns = int(np.ceil(np.sqrt(channels)))
        return UnitMemory(
            layer=layer,
            unit=unit,
            n_clusters=min(int(view["k"]), layer.units),
            grid=(-(-channels // columns), columns),
            tile=tile,
            shown_channels=channels,
            first=run.weights(layer.name, float(run.epochs[0]))[unit].astype(float),
        )

    def row(self, run: Run, memory: UnitMemory, index: int, epoch: float) -> dict[str, Any]:
        weights = run.weights(memory.layer.name, epoch).astype(float)
        own = weights[memory.unit]
        norms = np.linalg.norm(weights, axis=1)
        norm = float(norms[memory.unit])
        with np.errstate(divide="ignore", invalid="ignore"):
            cosines = weights @ own / (norms * norm)
            to_first = float(own @ memory.first / (norm * np.linalg.norm(memory.first)))
        angle, cluster = np.nan, "none: a norm of 0 has no direction"
        if (norms > 0).all():
            found = spherical_kmeans(weights, memory.n_clusters, seed=0)
            angle = float(found.angles[memory.unit])
            cluster = f"{int((found.labels == found.labels[memory.unit]).sum())} share its cluster"
        order = [int(i) for i in np.argsort(-np.nan_to_num(cosines, nan=-2)) if i != memory.unit][:NEAREST]
        return {
            "norm": norm,
            "angle": angle,
            "to_first": float(np.degrees(np.arccos(np.clip(to_first, -1, 1)))) if np.isfinite(to_first) else np.nan,
            "picture": montage(own, memory),
            "title": f"{units(memory.layer)[:-1]} {memory.unit} of {memory.layer.name}",
            "sub": f"{epoch_text(epoch)} · norm {norm:.3f} · {angle:.1f}° to its centre · {cluster}",
            "nearest": [f"{units(memory.layer)[:-1]} {i} · cosine {cosines[i]:.3f}" for i in order]
            + [""] * (NEAREST - len(order)),
        }

    def templates(self, run: Run, memory: UnitMemory, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        rows, columns = memory.grid
        height, width = memory.tile
        return {
            "figures": {
                "unit-picture": figures.picture(theme, rows * (height + 1) - 1, columns * (width + 1) - 1),
                "unit-course": figures.course(theme),
            },
            "texts": {
                "unit-title": {"$": "title", "at": "epoch"},
                "unit-sub": {"$": "sub", "at": "epoch"},
            },
            "lists": {
                "unit-nearest": [
                    {"colour": theme.null, "text": {"$": "nearest", "at": "epoch", "col": i}} for i in range(NEAREST)
                ]
            },
        }

    def settled(self, memory: UnitMemory) -> dict[str, Any]:
        return {"layer": memory.layer.name}


class UnitDropFeed:
    """The measured price of removing this unit alone."""

    answers = True
    keys = ("layer", "unit")

    def begin(self, run: Run, view: dict[str, Any]) -> tuple[LayerInfo, int]:
        return chosen_layer(run, view["layer"]), int(view["unit"])

    def settled(self, memory: tuple[LayerInfo, int]) -> dict[str, Any]:
        return {"layer": memory[0].name}

    def answer(
        self, run: Run, memory: tuple[LayerInfo, int], view: dict[str, Any], epoch: float, evaluator: Evaluator
    ) -> Iterator[dict[str, Any]]:
        layer, unit = memory
        yield {"drop": "measuring …"}
        for message in evaluator.ask("selection", run=run.id, epoch=epoch, layer=layer.name, units=[unit], alone=True):
            lost = 100 * (message["dense"] - message["correct"]) / message["seen"]
            told = "gains" if lost < 0 else "costs"
            sure = "exact" if message["seen"] == message["total"] else "estimate"
            yield {
                "drop": f"removed alone it {told} {abs(lost):.2f} points of accuracy "
                f"({sure}, {message['seen']} examples)"
            }

    def templates(self, run: Run, memory: Any, view: dict[str, Any], theme: Any) -> dict[str, Any]:
        return {"figures": {}, "texts": {"unit-drop": {"$": "drop", "at": "epoch"}}, "lists": {}}


def image_read_by(run: Run, layer: LayerInfo) -> tuple[int, int, int] | None:
    """(channels, height, width) of the images that a dense layer reads pixel by pixel, if it does."""
    shape = run.meta.get("dataset", {}).get("input_shape", [])
    if layer.name != run.layers[0].name or len(shape) != 3 or int(np.prod(shape)) != layer.fan_in:
        return None
    channels, height, width = map(int, shape)
    return channels, height, width


def picture_shape(layer: LayerInfo, image: tuple[int, int, int] | None) -> tuple[int, tuple[int, int]]:
    """How many tiles, and how high and wide: a kernel an input channel, an image's colours, or rows of plain numbers."""
    if len(layer.shape) == 4:
        return min(layer.shape[1], PICTURE_CHANNELS), (layer.shape[2], layer.shape[3])
    if image is not None:
        return image[0], image[1:]
    width = min(layer.fan_in, 64)
    return 1, (-(-layer.fan_in // width), width)


def montage(weights: np.ndarray, memory: UnitMemory) -> np.ndarray:
    """Tiles side by side, parted by gaps of one pixel; flat, as rows are."""
    rows, columns = memory.grid
    height, width = memory.tile
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for i in range(memory.shown_channels):
        tile = weights[i * height * width : (i + 1) * height * width]
        tile = np.pad(tile, (0, height * width - len(tile)), constant_values=np.nan).reshape(height, width)
        top, left = (i // columns) * (height + 1), (i % columns) * (width + 1)
        sheet[top : top + height, left : left + width] = tile
    return sheet.ravel()
