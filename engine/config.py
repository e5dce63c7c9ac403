"""The settings of a run: frozen, checked all at once, each default with its reason. Imports no torch.

`field_specs` is the one source of shell flags, environment variables and the browser's form.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from typing import Any, Self

from prunescope.engine.custom import is_custom
from prunescope.engine.data.places import as_folder
from prunescope.engine.fields import ConfigError, FieldSpec, spec_of, unknown_name
from prunescope.engine.rules import check_fits, check_within_reach, problems_between
from prunescope.engine.settings import DataSettings, ListSettings, ModelSettings, RecordingSettings, TrainingSettings

__all__ = [
    "ConfigError",
    "FieldSpec",
    "RunConfig",
    "check_fits",
    "check_within_reach",
    "field_specs",
]

# Settings that change neither what is computed nor what is kept.
_NOT_IDENTITY = ("name", "min_epoch_seconds", "durable", "checkpoint_every", "download")


@dataclass(frozen=True, kw_only=True)
class RunConfig(RecordingSettings, TrainingSettings, ModelSettings, DataSettings, ListSettings):
    """One training run.

    Raises
    ------
    ConfigError
        With every problem at once; `check_fits` then finds a model that does not fit the data.
    """

    def __post_init__(self) -> None:
        problems: dict[str, str] = {}
        for spec in field_specs():
            try:
                object.__setattr__(self, spec.name, spec.clean(getattr(self, spec.name)))
            except ValueError as error:
                problems[spec.name] = str(error)
        problems |= problems_between(self, set(problems))
        if problems:
            raise ConfigError(problems)

    @property
    def title(self) -> str:
        """The name, or what stands for it."""
        return self.name or f"{self.dataset} {self.model}"

    @property
    def in_place(self) -> Self:
        """The same settings with the data folder as a whole path: whoever resumes or measures the run stands elsewhere.

        For a run that begins here; settings from a run folder are taken as they are.

        Raises
        ------
        ConfigError
            For the home of a user who does not exist.
        """
        if not self.data_dir:
            return self
        try:
            return replace(self, data_dir=str(as_folder(self.data_dir).absolute()))
        except ValueError as error:
            raise ConfigError({"data_dir": str(error)}) from None

    @property
    def loss_name(self) -> str:
        """The loss, with "auto" resolved: "cross-entropy" or "margin"."""
        if self.loss == "auto":
            return "margin" if self.model == "xord-net" else "cross-entropy"
        return self.loss

    @property
    def milestones(self) -> tuple[int, ...]:
        """After how many epochs the step schedule lowers the rate."""
        halves = (self.epochs // 2, self.epochs * 3 // 4)
        return self.step_epochs or tuple(sorted({epoch for epoch in halves if epoch > 0}))

    def to_dict(self) -> dict[str, Any]:
        """The settings as JSON values."""
        values = asdict(self)
        return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, trusted: bool = False) -> Self:
        """Settings from JSON values; missing ones take their defaults.

        Parameters
        ----------
        trusted : bool
            Whether the values come from the user's own shell. Only then may `dataset` or `model` be
            `module:callable`, which runs code: never from the browser or a run folder.

        Raises
        ------
        ConfigError
            Unknown names too, with the nearest known one.
        """
        if not isinstance(values, Mapping):
            raise ConfigError({"settings": 'are not a table of names and values: write {"epochs": 10, …}.'})
        specs = {spec.name: spec for spec in field_specs()}
        problems = {str(key)[:80]: unknown_name(str(key), specs) for key in values if key not in specs}
        for key in ("dataset", "model"):
            if not trusted and isinstance(values.get(key), str) and is_custom(values[key]):
                problems[key] = (
                    f"{values[key][:80]!r} would run your own code, which only the command line may: "
                    f"start it with `prunescope train --{key} …`."
                )
        try:
            config = cls(**{key: value for key, value in values.items() if key in specs})
        except ConfigError as error:
            problems = error.problems | problems
        if problems:
            raise ConfigError(problems)
        return config

    @property
    def config_hash(self) -> str:
        """Twelve hex digits that are equal for runs that compute and keep the same."""
        kept = {key: value for key, value in self.to_dict().items() if key not in _NOT_IDENTITY}
        canonical = json.dumps(kept, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]


@cache
def field_specs() -> tuple[FieldSpec, ...]:
    """Every setting, in the order of `RunConfig`."""
    return tuple(spec_of(described) for described in fields(RunConfig))
