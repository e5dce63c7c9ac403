"""What an experiment is asked to be: settings by kind, checked all at once. Imports no torch.

Each kind's settings are described as those of a run are, so that a form can be made of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from prunescope.engine.config import RunConfig
from prunescope.engine.experiments.masks import SELECTIONS
from prunescope.engine.fields import FieldSpec, setting, spec_of

STRUCTURES = ("weights", "units")
SCOPES = ("layer", "global")
METHODS = ("iterative", "one-shot")
REWINDS = ("init", "epoch", "step", "none")
TICKET_ARMS = ("ticket", "reinit", "random", "dense", "one-per-cluster")
PROTOCOLS = ("li", "han", "scratch")
PROBES = ("resampled-classifier", "cluster-centres")
MEASURES = ("neyshabur",)
# The seed author's schedule: no pruning at all; random units at the initialisation.
NO_PRUNING, RANDOM_AT_INIT = -1.0, 0.0


def table() -> Any:
    """A field that holds a table of names and values."""
    return field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Tickets:
    """Lottery tickets: train, remove, reset, repeat. Frankle & Carbin 2018."""

    structure: str = setting(
        "weights", label="Remove", kind="choice", group="tickets", basic=True, choices=STRUCTURES,
        help="single weights, or whole units",
    )  # fmt: skip
    method: str = setting(
        "iterative", label="Method", kind="choice", group="tickets", choices=METHODS,
        help="one-shot removes all from the dense net at once",
    )  # fmt: skip
    scope: str = setting(
        "layer", label="Rates", kind="choice", group="tickets", choices=SCOPES,
        help="layer: each layer loses its rate; global: layers of one rate are ranked together",
    )  # fmt: skip
    # Fig. 2 of the paper: 20% a round of fully connected layers.
    rate: float = setting(
        0.2, label="Rate", kind="float", group="tickets", basic=True, help="removed a round, of what is left"
    )
    # Fig. 2: the output layer is pruned at half the rate.
    output_factor: float = setting(
        0.5, label="Output layer", kind="float", group="tickets", minimum=0.0, maximum=1.0,
        help="the output layer's rate is this times the others'",
    )  # fmt: skip
    levels: int = setting(
        8, label="Rounds", kind="int", group="tickets", basic=True, minimum=1, maximum=60, help="rounds of pruning"
    )
    rewind: str = setting(
        "init", label="Rewind to", kind="choice", group="tickets", choices=REWINDS,
        help="where survivors are reset; none: they are trained on (fine-tuning)",
    )  # fmt: skip
    rewind_at: float = setting(
        0.0, label="Rewind at", kind="float", group="tickets", minimum=0.0, maximum=1e9,
        help="epoch or step to which optimiser, schedule and data order are rewound too",
    )  # fmt: skip
    arms: tuple[str, ...] = setting(
        ("dense", "ticket", "reinit"), label="Arms", kind="list", group="tickets",
        help=f"of {', '.join(TICKET_ARMS)}",
    )  # fmt: skip
    # Only some levels of the control arms: a ticket chain needs all of its own.
    control_levels: tuple[int, ...] = setting(
        (), label="Control levels", kind="list", item="int", group="tickets", minimum=1, maximum=60,
        help="rounds at which the other arms are trained; empty: all",
    )  # fmt: skip
    layer_rates: Mapping[str, float] = table()  # layer pattern → rate; goes before `rate`
    target: Mapping[str, Any] = table()  # settings in which the found tickets are trained (Morcos 2019)
    retrain: Mapping[str, Any] = table()  # settings of the training after pruning, when rewind is none


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Copies pruned at chosen times of one training, all trained on to its end, side by side."""

    times: tuple[float, ...] = setting(
        (NO_PRUNING, RANDOM_AT_INIT), label="Pruned at", kind="list", item="float", group="schedule", basic=True,
        minimum=-1.0, maximum=100_000.0, help="epochs; -1: never, 0: random ones at the initialisation",
    )  # fmt: skip
    structure: str = setting(
        "units", label="Remove", kind="choice", group="schedule", choices=STRUCTURES, help="units or single weights"
    )
    select: str = setting(
        "smallest", label="Remove first", kind="choice", group="schedule", choices=tuple(SELECTIONS),
        help="by norm",
    )  # fmt: skip
    ratio: float = setting(0.5, label="Ratio", kind="float", group="schedule", basic=True, help="removed of each layer")
    output_factor: float = setting(
        0.0, label="Output layer", kind="float", group="schedule", minimum=0.0, maximum=1.0,
        help="the output layer's ratio is this times the others'; units of the output are never removed",
    )  # fmt: skip
    layer_ratios: Mapping[str, float] = table()


@dataclass(frozen=True, kw_only=True)
class Iterative:
    """Prune a little, again and again, while training goes on."""

    start: int = setting(1, label="First at", kind="int", group="iterative", minimum=0, maximum=100_000, help="epoch")
    end: int = setting(10, label="Last at", kind="int", group="iterative", minimum=0, maximum=100_000, help="epoch")
    interval: int = setting(1, label="Every", kind="int", group="iterative", minimum=1, maximum=100_000, help="epochs")
    ratios: tuple[float, ...] = setting(
        (0.5,), label="Ratios", kind="list", item="float", group="iterative", basic=True,
        help="removed of each layer in all; a run for each",
    )  # fmt: skip
    structure: str = setting(
        "units", label="Remove", kind="choice", group="iterative", choices=STRUCTURES, help="units or weights"
    )
    select: str = setting(
        "smallest", label="Remove first", kind="choice", group="iterative", choices=tuple(SELECTIONS), help="by norm"
    )
    output_factor: float = setting(
        0.0, label="Output layer", kind="float", group="iterative", minimum=0.0, maximum=1.0,
        help="the output layer's ratio is this times the others'",
    )  # fmt: skip
    layer_ratios: Mapping[str, float] = table()

    @property
    def epochs(self) -> tuple[int, ...]:
        """When something is removed: k = 1 + (end − start) // interval times."""
        return tuple(range(self.start, self.end + 1, self.interval))


@dataclass(frozen=True, kw_only=True)
class Retrain:
    """Prune a trained net once, then train the rest."""

    protocol: str = setting(
        "li", label="Protocol", kind="choice", group="retrain", basic=True, choices=PROTOCOLS,
        help="li: filters by norm; han: weights below quality × std; scratch: the small net from a new start",
    )  # fmt: skip
    ratios: tuple[float, ...] = setting(
        (0.5,), label="Ratios", kind="list", item="float", group="retrain", basic=True,
        help="removed of each layer (li, scratch)",
    )  # fmt: skip
    qualities: tuple[float, ...] = setting(
        (1.0,), label="Qualities", kind="list", item="float", group="retrain", minimum=0.0, maximum=100.0,
        help="han: the threshold in standard deviations of the layer's weights",
    )  # fmt: skip
    select: tuple[str, ...] = setting(
        tuple(SELECTIONS), label="Remove first", kind="list", group="retrain",
        help=f"li: of {', '.join(SELECTIONS)}",
    )  # fmt: skip
    # One layer at a time is Li's sensitivity; all layers at once is the pruned net.
    each_layer: tuple[str, ...] = setting(
        (), label="One layer at a time", kind="list", group="retrain", help="names; empty: all layers together"
    )
    norm: str = setting(
        "l1", label="Norm", kind="choice", group="retrain", choices=("l1", "l2"), help="li: of a filter"
    )
    output_factor: float = setting(
        0.5, label="Output layer", kind="float", group="retrain", minimum=0.0, maximum=1.0,
        help="scratch, han: the output layer's share of the rate; its units are never removed",
    )  # fmt: skip
    layer_ratios: Mapping[str, float] = table()
    retrain: Mapping[str, Any] = table()


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Any settings of a run against any others, over seeds."""

    measures: tuple[str, ...] = setting(
        (), label="Measures", kind="list", group="sweep", help=f"beyond accuracy: {', '.join(MEASURES)}"
    )
    grid: Mapping[str, Any] = table()  # setting → values; every combination is trained
    points: tuple[Mapping[str, Any], ...] = ()  # settings that go together; each is a point of its own


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A second training that starts from a part of the first."""

    what: str = setting(
        "cluster-centres", label="Probe", kind="choice", group="probe", basic=True, choices=PROBES,
        help="a small net started at the cluster centres, or the same init under another classifier",
    )  # fmt: skip
    layer: str = setting("conv1", label="Layer", kind="str", group="probe", help="whose units are clustered")
    clusters: int = setting(
        4, label="Clusters", kind="int", group="probe", minimum=1, maximum=10_000, help="units of the small net"
    )
    small: Mapping[str, Any] = table()  # settings of the small net besides its width


KINDS: dict[str, type] = {
    "tickets": Tickets,
    "schedule": Schedule,
    "iterative": Iterative,
    "retrain": Retrain,
    "sweep": Sweep,
    "probe": Probe,
}
Plan = Tickets | Schedule | Iterative | Retrain | Sweep | Probe


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """Settings of an experiment; make one with `experiment_from`.

    Attributes
    ----------
    run : RunConfig settings that all runs share; `seed` comes from `seeds`
    plan : the settings of its kind
    title, paper, scale, note : for readers
    """

    kind: str
    name: str
    run: Mapping[str, Any]
    plan: Plan
    seeds: tuple[int, ...] = (0,)
    title: str = ""
    paper: str = ""
    scale: str = ""
    note: str = ""

    def config(self, seed: int, **changes: Any) -> RunConfig:
        """The settings of one run. One thread: its bits depend on it, and runs share the cores."""
        return RunConfig.from_dict({"threads": 1, **self.run, **changes, "seed": seed}, trusted=True)

    def to_dict(self) -> dict[str, Any]:
        """As JSON, in the shape of a recipe file."""
        plan = {item.name: _plain(getattr(self.plan, item.name)) for item in fields(self.plan)}
        texts = {name: getattr(self, name) for name in ("title", "paper", "scale", "note")}
        shared = {"kind": self.kind, "name": self.name, "seeds": list(self.seeds), "run": dict(self.run)}
        return {**shared, **texts, self.kind: plan}


def plan_specs(kind: str) -> tuple[FieldSpec, ...]:
    """The described settings of a kind, for forms; tables of names are not among them."""
    return tuple(spec_of(item) for item in fields(KINDS[kind]) if item.metadata)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
