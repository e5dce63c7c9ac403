"""The only place that knows colours, type and line weights, for the page and for exports alike."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Okabe–Ito data colours, without its yellow and black, which fail on white or on dark."""

    name: str
    ground: str
    panel: str
    ink: str
    muted: str
    line: str
    accent: str
    accent_soft: str
    on_accent: str
    good: str
    good_soft: str
    bad: str
    bad_soft: str
    null: str
    null_soft: str
    band: str
    data: tuple[str, ...]
    ramp: tuple[str, str]


LIGHT = Theme(
    name="light",
    ground="#f7f7f5",
    panel="#ffffff",
    ink="#1b1f24",
    muted="#59616b",
    line="#dcdcd6",
    accent="#0b62c4",
    accent_soft="#e3eefb",
    on_accent="#ffffff",
    good="#00734f",
    good_soft="#dcefe7",
    bad="#b3261e",
    bad_soft="#fbe6e4",
    null="#6f757d",
    null_soft="rgba(138,144,153,0.26)",
    band="rgba(0,114,178,0.14)",
    data=("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#4B3F9E", "#B8860B", "#3AA0D8", "#8C4A2F"),
    ramp=("#c3d3de", "#0072B2"),
)

DARK = Theme(
    name="dark",
    ground="#14171b",
    panel="#1b1f25",
    ink="#e8eaed",
    muted="#a2aab4",
    line="#323943",
    accent="#6db1ff",
    accent_soft="#1d2f47",
    on_accent="#10151b",
    good="#3cc796",
    good_soft="#17352c",
    bad="#ff8a80",
    bad_soft="#40211f",
    null="#98a0aa",
    null_soft="rgba(152,160,170,0.24)",
    band="rgba(86,180,233,0.18)",
    data=("#56B4E9", "#F0803C", "#2CC295", "#E3A3C6", "#A79BF0", "#E0B84C", "#9AD3F5", "#D79A78"),
    ramp=("#3b4a57", "#56B4E9"),
)

THEMES = {"light": LIGHT, "dark": DARK}

# Clusters past the palette's end are told apart by their marker as well.
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
# Two ticks in a row must not say the same: 99.5% is no 100%.
PERCENT = ".1~%"
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")

FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif'


def cluster_colour(theme: Theme, index: int) -> str:
    return theme.data[index % len(theme.data)]


def blend(start: str, end: str, share: float) -> str:
    """A colour between two, by linear mixing of their sRGB values; ``share`` in [0, 1]."""
    a, b = (tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in (start, end))
    return "#" + "".join(f"{round(x + (y - x) * share):02x}" for x, y in zip(a, b, strict=True))


def css_variables() -> str:
    """The same tokens for the style sheet."""

    def block(theme: Theme) -> str:
        tokens: dict[str, str] = {
            "ground": theme.ground,
            "panel": theme.panel,
            "ink": theme.ink,
            "muted": theme.muted,
            "line": theme.line,
            "accent": theme.accent,
            "accent-soft": theme.accent_soft,
            "on-accent": theme.on_accent,
            "good": theme.good,
            "good-soft": theme.good_soft,
            "bad": theme.bad,
            "bad-soft": theme.bad_soft,
            "null": theme.null,
        }
        tokens |= {f"data-{i}": colour for i, colour in enumerate(theme.data)}
        return "".join(f"--{name}:{value};" for name, value in tokens.items()) + f"color-scheme:{theme.name};"

    return (
        f":root{{--font:{FONT};{block(LIGHT)}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{block(DARK)}}}}}"
        f':root[data-theme="light"]{{{block(LIGHT)}}}'
        f':root[data-theme="dark"]{{{block(DARK)}}}'
    )


def axis(theme: Theme, title: str = "", **more: Any) -> dict[str, Any]:
    """A quiet axis: light grid, few ticks, the unit in words at its end."""
    return {
        "title": {"text": title, "font": {"size": 12, "color": theme.muted}, "standoff": 6},
        "gridcolor": theme.line,
        "linecolor": theme.line,
        "zeroline": False,
        "tickfont": {"size": 12, "color": theme.muted},
        "nticks": 7,
        "automargin": False,
        # Whether each label runs out of the figure is measured otherwise, which is a third of drawing a small figure.
        "ticklabeloverflow": "allow",
    } | more


def base_layout(theme: Theme, **more: Any) -> dict[str, Any]:
    return {
        "font": {"family": FONT, "size": 13, "color": theme.ink},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 60, "r": 16, "t": 12, "b": 44},
        "showlegend": False,
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": theme.panel,
            "bordercolor": theme.line,
            "font": {"color": theme.ink, "family": FONT, "size": 13},
        },
        "dragmode": "zoom",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": theme.muted, "activecolor": theme.accent},
    } | more


def label(theme: Theme, text: Any, colour: str, **more: Any) -> dict[str, Any]:
    """A direct label: it stands at its curve, in the curve's own colour, instead of a legend."""
    return {
        "name": "label",
        "text": text,
        "showarrow": False,
        "font": {"size": 13, "color": colour, "weight": 600},
        "align": "left",
        "xanchor": "left",
        "bgcolor": theme.panel,
        "opacity": 0.92,
        "borderpad": 1,
    } | more
