"""The view state: everything a user can set, that a link must carry and a reload must bring back.

One table feeds the URL, the controls and the server's checks, so that a key cannot mean
one thing in the address bar and another in a slider.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from prunescope.app.criteria import choices as criterion_choices

# Room for a long selection of units; an address beyond a few thousand characters is cut by some programs.
TEXT_LENGTH = 4000

# Filled from the engine's one dict of criteria, so that the list here and the error text there agree.
CRITERION_CHOICES = criterion_choices()

Kind = Literal["text", "number", "choice", "flag", "run", "option"]


@dataclass(frozen=True, kw_only=True)
class Key:
    """One thing a user can set.

    ``reach`` says who must answer a change: ``rows`` asks the server to compute, ``template`` asks it
    only how to draw, ``local`` needs nobody.
    """

    name: str
    kind: Kind
    label: str
    default: Any
    reach: Literal["rows", "template", "local"]
    pages: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    choices: tuple[tuple[str, str], ...] = ()
    unit: str = ""
    help: str = ""
    more: bool = False

    def read(self, raw: str | None) -> Any:
        """The value a link carries, or the default where it carries none that is possible."""
        if raw is None:
            return self.default
        if self.kind == "flag":
            return raw == "1"
        if self.kind == "number":
            try:
                value = float(raw)
            except ValueError:
                return self.default
            if value != value or not self._low <= value <= self._high:
                return self.default
            return int(value) if value == int(value) else value
        if self.kind == "choice":
            return raw if raw in dict(self.choices) else self.default
        return raw[:TEXT_LENGTH]

    @property
    def _low(self) -> float:
        return -1e12 if self.minimum is None else self.minimum

    @property
    def _high(self) -> float:
        return 1e12 if self.maximum is None else self.maximum


PAGES: dict[str, str] = {
    "overview": "Overview",
    "alignment": "Alignment",
    "trajectories": "Trajectories",
    "pruning": "Pruning",
    "similarity": "Similarity",
    "structure": "Structure",
    "spectrum": "Spectrum",
    "tickets": "Tickets",
    "sweep": "Sweep",
    "compare": "Compare",
}

_ALIGNED = ("alignment", "trajectories")

KEYS: tuple[Key, ...] = (
    Key(name="run", kind="text", label="Run", default="", reach="rows"),
    Key(name="layer", kind="text", label="Layer", default="", reach="rows"),
    Key(name="epoch", kind="number", label="Epoch", default=-1, minimum=-1, reach="local"),
    Key(name="follow", kind="flag", label="Follow latest", default=True, reach="local"),
    Key(
        name="k",
        kind="number",
        label="Clusters k",
        default=4,
        minimum=1,
        maximum=12,
        step=1,
        reach="rows",
        pages=_ALIGNED,
        help="Brutzkus & Globerson use four.",
    ),
    Key(
        name="pct",
        kind="number",
        label="Ignore norms below",
        default=0,
        minimum=0,
        maximum=90,
        step=5,
        unit="pct.",
        reach="rows",
        pages=("alignment",),
        help="Units that stayed tiny have a direction, but no effect.",
    ),
    Key(
        name="weight",
        kind="choice",
        label="Count units",
        default="equal",
        choices=(("equal", "equally"), ("norm", "by norm")),
        reach="rows",
        pages=("alignment",),
    ),
    Key(
        name="against",
        kind="choice",
        label="Compare with",
        default="both",
        choices=(("first", "epoch 0"), ("null", "random"), ("both", "both")),
        reach="template",
        pages=("alignment",),
    ),
    Key(
        name="normalise",
        kind="choice",
        label="Directions",
        default="raw",
        choices=(("raw", "as they are"), ("centred", "mean removed")),
        reach="rows",
        pages=("alignment",),
        more=True,
    ),
    Key(
        name="basis",
        kind="choice",
        label="Fit the basis on",
        default="all",
        choices=(("all", "all epochs"), ("first", "first"), ("last", "last")),
        reach="rows",
        pages=("trajectories",),
    ),
    Key(name="fit", kind="number", label="Fitted until", default=-1, minimum=-1, reach="rows"),
    Key(
        name="dims",
        kind="choice",
        label="Dimensions",
        default="2",
        choices=(("2", "2-D"), ("3", "3-D")),
        reach="template",
        pages=("trajectories",),
    ),
    Key(
        name="colour",
        kind="choice",
        label="Colour by",
        default="cluster",
        choices=(("cluster", "cluster"), ("norm", "norm"), ("none", "one colour")),
        reach="template",
        pages=("trajectories",),
    ),
    Key(
        name="tail",
        kind="number",
        label="Tail",
        default=0,
        minimum=0,
        maximum=100,
        step=1,
        unit="epochs",
        reach="local",
        pages=("trajectories",),
        help="0 draws the whole path.",
    ),
    Key(
        name="frac",
        kind="number",
        label="Removed",
        default=50,
        minimum=0,
        maximum=100,
        step=0.5,
        unit="%",
        reach="local",
        pages=("pruning",),
    ),
    Key(
        name="crit",
        kind="choice",
        label="Order",
        default="l2",
        choices=CRITERION_CHOICES,
        reach="rows",
        pages=("pruning",),
    ),
    Key(
        name="also",
        kind="choice",
        label="Beside it",
        default="none",
        choices=(("none", "nothing"), *CRITERION_CHOICES),
        reach="rows",
        pages=("pruning",),
    ),
    Key(
        name="scope",
        kind="choice",
        label="Scope",
        default="layer",
        choices=(("layer", "this layer"), ("all", "all layers")),
        reach="rows",
        pages=("pruning",),
    ),
    Key(
        name="xaxis",
        kind="choice",
        label="Axis",
        default="units",
        choices=(("units", "units"), ("params", "params"), ("macs", "MACs")),
        reach="template",
        pages=("pruning",),
    ),
    Key(
        name="loss",
        kind="number",
        label="Accept a loss of",
        default=1,
        minimum=0,
        maximum=10,
        step=0.5,
        unit="pt",
        reach="local",
        pages=("pruning",),
    ),
    Key(name="mix", kind="text", label="Shares removed, layer by layer", default="", reach="rows"),
    Key(
        name="fp",
        kind="choice",
        label="Frame potential",
        default="chance",
        choices=(("chance", "× random"), ("pair", "/ N²")),
        reach="template",
        pages=("frames",),
    ),
    Key(
        name="measure",
        kind="choice",
        label="Without each unit",
        default="without_fp",
        choices=(("without_fp", "potential"), ("without_ip", "|cosine|"), ("without_raw", "raw")),
        reach="template",
        pages=("structure",),
        help="Which measure is taken again without the unit; raw weighs directions by their norms.",
    ),
    Key(
        name="early",
        kind="number",
        label="The race begins at epoch",
        default=1,
        minimum=0,
        maximum=50,
        step=1,
        reach="rows",
        pages=("structure",),
        help="Directions at this epoch are compared with those of the epoch shown.",
    ),
    Key(
        name="cut",
        kind="number",
        label="Cutoff",
        default=0.8,
        minimum=0,
        maximum=1,
        step=0.01,
        reach="local",
        pages=("similarity",),
        help="Edges of at least this weight are drawn.",
    ),
    Key(name="laid", kind="number", label="Laid out at", default=0.8, minimum=0, maximum=1, reach="rows"),
    Key(
        name="by",
        kind="choice",
        label="Compare units by",
        default="weights",
        choices=(("weights", "weights"), ("activations", "activations")),
        reach="rows",
        pages=("similarity",),
    ),
    Key(
        name="emb",
        kind="choice",
        label="Another embedding",
        default="none",
        choices=(("none", "none"), ("tsne", "t-SNE"), ("mds", "MDS"), ("isomap", "Isomap"), ("spectral", "spectral")),
        reach="rows",
        pages=("similarity",),
        help="Computed when chosen, for the epoch shown then.",
    ),
    Key(name="embat", kind="number", label="Embedded at", default=-1, minimum=-1, reach="rows"),
    Key(
        name="rank",
        kind="number",
        label="Subspace of r directions",
        default=10,
        minimum=1,
        maximum=64,
        step=1,
        reach="rows",
        pages=("spectrum",),
    ),
    Key(
        name="cutoff",
        kind="number",
        label="Large: norm above",
        default=50,
        minimum=0,
        maximum=95,
        step=5,
        unit="pct.",
        reach="rows",
        pages=("spectrum",),
    ),
    Key(
        name="top",
        kind="choice",
        label="Large units by",
        default="similarity",
        choices=(("similarity", "cosine"), ("residual", "residual"), ("subspace_similarity", "inside")),
        reach="template",
        pages=("spectrum",),
        help="Cosine to the other large units; part outside the trained subspace; cosine of the parts inside it.",
    ),
    Key(
        name="with",
        kind="run",
        label="With",
        default="",
        reach="rows",
        pages=("similarity", "spectrum", "trajectories", "alignment"),
        help="A second run, drawn in the same picture.",
    ),
    Key(
        name="exp", kind="option", label="Experiment", default="", reach="rows", pages=("tickets", "sweep"),
        help="Newest first; the newest one unless you choose.",
    ),
    Key(name="quantity", kind="option", label="Show", default="accuracy", reach="rows", pages=("tickets", "sweep")),
    Key(
        name="level", kind="option", label="Read off at", default="", reach="rows", pages=("tickets",),
        help="The round that the big number is about.",
    ),
    Key(name="setting", kind="option", label="Against", default="", reach="rows", pages=("sweep",)),
    Key(
        name="split", kind="option", label="A line for each", default="", reach="rows", pages=("sweep",),
        help="A second setting that tells lines apart.",
    ),
    Key(name="runs", kind="text", label="Runs compared", default="", reach="rows", pages=("compare",)),
    Key(name="metric", kind="option", label="Show", default="", reach="rows", pages=("compare",)),
    Key(name="sel", kind="text", label="Selected units", default="", reach="rows"),
    Key(name="unit", kind="number", label="Unit", default=-1, minimum=-1, reach="rows"),
    Key(name="theme", kind="choice", label="Theme", default="auto", reach="template",
        choices=(("auto", "auto"), ("light", "light"), ("dark", "dark"))),
    Key(name="sidebar", kind="flag", label="Runs", default=True, reach="local"),
    Key(name="present", kind="flag", label="Present", default=False, reach="local"),
    Key(name="hide", kind="text", label="Left out when presenting", default="", reach="local"),
    Key(name="speed", kind="number", label="Replay speed", default=5, minimum=0.2, maximum=60, unit="epochs/s",
        reach="local"),
    Key(name="play", kind="flag", label="Replay at once", default=False, reach="local"),
    Key(name="full", kind="text", label="Full screen", default="", reach="local"),
    Key(name="log", kind="text", label="Log axes", default="", reach="local"),
)  # fmt: skip

BY_NAME = {key.name: key for key in KEYS}


def read_view(raw: Mapping[str, str]) -> dict[str, Any]:
    """A whole, possible view out of whatever a link says; unknown keys are ignored."""
    return {key.name: key.read(raw.get(key.name)) for key in KEYS}


def client_spec() -> dict[str, Any]:
    """The table as the browser needs it (JSON)."""
    return {"pages": list(PAGES), "keys": [asdict(key) for key in KEYS]}
