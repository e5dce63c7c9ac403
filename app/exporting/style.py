"""How big a figure is on paper, and in which type: presets of the usual journals and screens."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

PX_PER_INCH = 96.0
PT_PER_INCH = 72.0

_UNITS = {"in": 1.0, "mm": 1 / 25.4, "cm": 1 / 2.54, "pt": 1 / 72.0}
SMALLEST, LARGEST = 0.5, 40.0


class Preset(NamedTuple):
    """Width and height in inches (a height of 0: from the figure's shape), type and line in points."""

    width: float
    height: float
    size: float
    line: float
    words: str


PRESETS: dict[str, Preset] = {
    # Nature: 89 mm; IEEE and ACM: 3.5 in and 3.33 in; type of 7 to 8 pt.
    "column": Preset(3.5, 0, 8, 1.0, "Column, 3.5 in = 89 mm"),
    # NeurIPS, ICML and ICLR set text of 5.5 to 6.75 in; Nature's two columns are 183 mm.
    "text": Preset(7.0, 0, 9, 1.25, "Text width, 7 in = 178 mm"),
    "slide": Preset(13.333, 7.5, 20, 3.0, "Slide, 16:9"),
}

FONTS: dict[str, str] = {
    "arial": "Arial, Helvetica, 'Liberation Sans', 'DejaVu Sans', sans-serif",
    "times": "'Times New Roman', Times, 'Liberation Serif', 'DejaVu Serif', serif",
    "computer-modern": "'CMU Serif', 'Latin Modern Roman', 'DejaVu Serif', serif",
    "dejavu": "'DejaVu Sans', Verdana, sans-serif",
}

LEGENDS = ("labels", "right", "top", "bottom", "inside", "none")
BACKGROUNDS = ("white", "none")


@dataclass(frozen=True, kw_only=True)
class PaperStyle:
    """One figure's dress for paper.

    Parameters
    ----------
    width : a preset, or a length such as ``120mm``, ``5in``, ``12cm``, ``340pt``
    height : a length; empty takes the preset's, or one that suits the figure
    size, line : points; 0 takes the preset's. ``line`` is that of a main curve; finer ones keep their share.
    legend : ``labels`` at the curves, as on screen, or a place
    letter : of the panel, bold at the upper left
    ranges, hidden, camera, log : what the user has done to the figure on screen: axis → range, indices of
        traces, a camera for each 3-D scene, and whether the y axis is logarithmic

    Raises
    ------
    ValueError
        Naming the setting, its value and what is possible.
    """

    width: str = "column"
    height: str = ""
    font: str = "arial"
    size: float = 0.0
    line: float = 0.0
    legend: str = "labels"
    letter: str = ""
    background: str = "white"
    ranges: Mapping[str, Any] = field(default_factory=dict)
    hidden: tuple[int, ...] = ()
    camera: Mapping[str, Any] = field(default_factory=dict)
    log: bool = False

    def __post_init__(self) -> None:
        for name, value, possible in (
            ("font", self.font, tuple(FONTS)),
            ("legend", self.legend, LEGENDS),
            ("background", self.background, BACKGROUNDS),
        ):
            if value not in possible:
                raise ValueError(f"{name}: {value!r} is unknown. Use one of {', '.join(possible)}.")
        for name, points, high in (("size", self.size, 72), ("line", self.line, 20)):
            if not 0 <= points <= high:
                raise ValueError(f"{name}: {points} pt is not possible. Give 0 to {high}; 0 takes the preset's.")
        if len(self.letter) > 4:
            raise ValueError(f"letter: {self.letter!r} is too long. Give a letter, or (a).")
        if self.width not in PRESETS:
            inches(self.width, "width")
        if self.height:
            inches(self.height, "height")

    @property
    def preset(self) -> Preset:
        return PRESETS.get(self.width, PRESETS["column"])

    @property
    def width_in(self) -> float:
        return self.preset.width if self.width in PRESETS else inches(self.width, "width")

    def height_in(self, shape: float) -> float:
        """Height in inches; ``shape`` is height ÷ width where nothing else says it."""
        if self.height:
            return inches(self.height, "height")
        fixed = self.preset.height if self.width in PRESETS else 0
        return fixed or round(self.width_in * shape, 3)

    @property
    def size_pt(self) -> float:
        return self.size or self.preset.size

    @property
    def line_pt(self) -> float:
        return self.line or self.preset.line

    @property
    def family(self) -> str:
        return FONTS[self.font]

    def words(self) -> dict[str, Any]:
        """The settings that differ from the defaults, for a file's metadata."""
        plain = PaperStyle()
        return {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if getattr(self, name) != getattr(plain, name)
        }


def inches(text: str, name: str) -> float:
    """A length as people write it, in inches."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(in|mm|cm|pt)\s*", text)
    if match is None:
        presets = f"{', '.join(PRESETS)} or " if name == "width" else ""
        raise ValueError(f"{name}: {text!r} is no length. Use {presets}e.g. 120mm, 5in, 12cm, 340pt.")
    length = float(match[1]) * _UNITS[match[2]]
    if not SMALLEST <= length <= LARGEST:
        raise ValueError(f"{name}: {text} is outside {SMALLEST:g} to {LARGEST:g} in.")
    return length


def read_style(raw: Mapping[str, str], prefix: str = "paper_") -> PaperStyle:
    """A style out of what a request says; unknown keys are ignored, impossible values are errors."""
    given: dict[str, Any] = {}
    for name in PaperStyle.__dataclass_fields__:
        text = raw.get(prefix + name)
        if text is None or text == "":
            continue
        try:
            given[name] = _read(name, text)
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise ValueError(f"{name}: {text[:40]!r} cannot be read.") from None
    return PaperStyle(**given)


def _read(name: str, text: str) -> Any:
    match name:
        case "size" | "line":
            return float(text)
        case "log":
            return text == "1"
        case "hidden":
            return tuple(sorted({int(part) for part in text.split(",")}))
        case "ranges":
            found = json.loads(text)
            return {str(axis): [_finite(end) for end in ends][:2] for axis, ends in found.items()}
        case "camera":
            found = json.loads(text)
            return {str(scene): _numbers_only(camera) for scene, camera in found.items()}
    return text


def _numbers_only(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key): _numbers_only(value) for key, value in node.items()}
    return node if isinstance(node, str) and node in ("perspective", "orthographic") else _finite(node)


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number
