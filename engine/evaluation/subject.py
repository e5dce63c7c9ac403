"""A recorded network, brought back to life at one epoch, with the examples to measure it on."""

import copy
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import threadpoolctl
import torch
from prunescope.engine.config import RunConfig
from prunescope.engine.custom import is_custom, load_callable
from prunescope.engine.data import load_for
from prunescope.engine.models import build_for
from prunescope.engine.pruning import Network, criterion_named, trace
from prunescope.engine.pruning.on_data import Estimate, Quantities, measured_together, stream_quantities
from prunescope.engine.recent import Recent
from prunescope.engine.store import Run, Store
from torch import nn

# Criteria that look at data rank on training examples, so that the accuracy is measured on others.
CALIBRATION = 512
KEPT_MODELS = 4
# A page asks many questions about one epoch: its network is loaded, and its channels followed, once.
KEPT_SUBJECTS = 3
KEPT_SIZES = 2048


# ``module:callable``, or the callable itself.
Named = str | Callable[[], Any]


class CannotEvaluate(ValueError):
    """This run's networks cannot be rebuilt here; the message says what the user has to name."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network at one epoch.

    inputs, targets : (n, …), (n,) held-out examples, in an order that makes every prefix a fair sample
    calibration : the same of training examples, for criteria that look at data
    initial : the weights at epoch 0, by state-dict name
    known : what criteria have measured on the calibration examples
    suggested : what they have measured on the first of them, where they are not through
    """

    model: nn.Module
    epoch: float
    inputs: torch.Tensor
    targets: torch.Tensor
    calibration: tuple[torch.Tensor, torch.Tensor]
    initial: dict[str, np.ndarray]
    known: Quantities = field(default_factory=dict)
    suggested: Quantities = field(default_factory=dict)
    _under_way: dict[Any, Iterator[Estimate]] = field(default_factory=dict)

    @cached_property
    def network(self) -> Network:
        """The model with its channels followed: every question about it needs that, and it takes time."""
        return trace(self.model, self.inputs.ndim)

    def learn(self, criterion: str, layers: Sequence[str]) -> Iterator[Quantities]:
        """Measure what a criterion orders by until it is known; hands out an estimate after each piece of work.

        Two questions that want the same share the work, in turns.
        """
        base = criterion_named(criterion).base
        kind = measured_together(base)
        if kind is None:
            return
        for layer in layers:
            self.network.unit_ids(layer)
        # One pass serves all layers, but removing each unit alone is work for each layer.
        together = tuple(layers) if kind == "ablation" else self.network.layers
        key = kind, together
        while not all((base, layer) in self.known for layer in layers):
            if key not in self._under_way:
                self._under_way[key] = stream_quantities(self.network, base, together, *self.calibration)
            try:
                estimate = next(self._under_way[key])
            except BaseException:
                # Whoever asks again begins anew.
                self._under_way.pop(key, None)
                raise
            self.suggested.update(estimate.quantities)
            if estimate.complete:
                self._under_way.pop(key, None)
                self.known.update(estimate.quantities)
            yield estimate.quantities


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    model: nn.Module
    held_out: tuple[torch.Tensor, torch.Tensor]
    calibration: tuple[torch.Tensor, torch.Tensor]
    initial: dict[str, np.ndarray]


class Subjects:
    """Rebuilds networks on demand and keeps the last few.

    Parameters
    ----------
    model, data : ``module:callable`` that the user named on the command line, for runs of own training loops.
        ``model()`` returns the network, ``data()`` the held-out inputs and targets. The callables
        themselves where a training loop answers about its own run.

    Attributes
    ----------
    sizes : what was measured of smaller networks; they do not change with the epoch
    """

    def __init__(self, store: Store, *, model: Named | None = None, data: Named | None = None):
        self.store = store
        self.sizes = Recent[tuple[Any, ...], dict[str, float]](KEPT_SIZES)
        self._own_model = model
        self._own_data = data
        self._loaded = Recent[str, _Loaded](KEPT_MODELS)
        self._subjects = Recent[tuple[str, float], Subject](KEPT_SUBJECTS)

    def at(self, run_id: str, epoch: float) -> Subject:
        """The network of a run at one of its recorded epochs, not to be changed: other questions share it.

        Raises
        ------
        CannotEvaluate
            If the run does not say how its network is built, or what to measure it on.
        """
        run = self.store.run(run_id)
        return self._subjects.once((_key(run), epoch), lambda: self._bring_to(run, epoch))

    def _bring_to(self, run: Run, epoch: float) -> Subject:
        loaded = self._loaded.once(_key(run), lambda: self._bring_up(run))
        model = copy.deepcopy(loaded.model)
        try:
            model.load_state_dict(run.state_dict(epoch))
        except RuntimeError as error:
            raise CannotEvaluate(
                f"{run.name}: the network built for it does not fit its recorded weights ({_first_line(error)}). "
                "Name the right one with --model module:callable."
            ) from None
        inputs, targets = loaded.held_out
        return Subject(
            model=model.eval(),
            epoch=epoch,
            inputs=inputs,
            targets=targets,
            calibration=loaded.calibration,
            initial=loaded.initial,
        )

    def _bring_up(self, run: Run) -> _Loaded:
        initial = run.arrays(float(run.epochs[0]))
        if run.kind == "train" and not _names_code(run):
            config = RunConfig.from_dict(run.config)
            dataset = load_for(config)
            model = build_for(config, dataset)
            held_out = (dataset.val_x, dataset.val_y)
            some = slice(0, CALIBRATION)
            # Stored examples may be sorted by class; a fixed shuffle makes every prefix a fair sample.
            order = torch.randperm(len(dataset.train_x), generator=torch.Generator().manual_seed(0))[some]
            calibration = (dataset.train_x[order], dataset.train_y[order])
        else:
            model, held_out = self._own(run)
            # An own run brings no training examples: such criteria then rank on what is measured as well.
            some = torch.randperm(len(held_out[1]), generator=torch.Generator().manual_seed(1))[:CALIBRATION]
            calibration = (held_out[0][some], held_out[1][some])
        inputs, targets = held_out
        order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
        return _Loaded(
            model=model.eval(),
            held_out=(inputs[order].contiguous(), targets[order].contiguous()),
            calibration=calibration,
            initial=initial,
        )

    def _own(self, run: Run) -> tuple[nn.Module, tuple[torch.Tensor, torch.Tensor]]:
        if self._own_model is None:
            raise CannotEvaluate(
                f"{run.name} was recorded from code of your own, so its network cannot be built here. Start the "
                "dashboard with --model module:callable (a function that returns the network), and with "
                "--data module:callable (one that returns held-out inputs and targets) unless they were recorded; or "
                "let the training answer while it runs: Recorder(…, measure_on=callable)."
            )
        model = _call(self._own_model, "--model")
        if not isinstance(model, nn.Module):
            raise CannotEvaluate(f"--model: it returned {type(model).__name__}, not a torch.nn.Module.")
        recorded = run.evaluation_data()
        if self._own_data is not None:
            inputs, targets = _examples(_call(self._own_data, "--data"))
        elif recorded is not None:
            inputs, targets = _examples(recorded)
        else:
            raise CannotEvaluate(
                f"{run.name}: no examples to measure on. Start the dashboard with --data module:callable, or give "
                "Recorder(…, data=(inputs, targets))."
            )
        return model.cpu(), (inputs, targets)


def _call(named: Named, flag: str) -> Any:
    """What a function of the user's own returns; whatever it raises becomes a sentence."""
    function = load_callable(named) if isinstance(named, str) else named
    try:
        return function()
    except Exception as error:
        raise CannotEvaluate(f"{flag}: the function raised {type(error).__name__}: {_first_line(error)}") from error


def _examples(given: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs as float32 and targets as int64, whatever kind of arrays they came as."""
    try:
        inputs, targets = (torch.as_tensor(np.array(part) if isinstance(part, np.ndarray) else part) for part in given)
        inputs, targets = inputs.detach().cpu().float(), targets.detach().cpu().long()
    except (TypeError, ValueError, RuntimeError) as error:
        raise CannotEvaluate(
            f"--data: want (inputs, targets), two arrays or tensors of equal length ({_first_line(error)})."
        ) from None
    if targets.ndim != 1 or len(inputs) != len(targets) or not len(targets):
        raise CannotEvaluate(
            f"--data: inputs have shape {tuple(inputs.shape)} and targets {tuple(targets.shape)}. Return as many class "
            "numbers as inputs, in one row."
        )
    return inputs, targets


def set_threads() -> None:
    """Leave one core to the training: answers may take longer, the training must not."""
    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))
    # NumPy's matrix products (clusters, pairs of units) would start a thread for each core, which wait for each
    # other beside a training: six times the work for 300 × 784.
    threadpoolctl.threadpool_limits(1, "blas")
    torch.set_grad_enabled(False)


def _key(run: Run) -> str:
    """A deleted run's name may come back for another one."""
    return f"{run.id}@{run.created}"


def _names_code(run: Run) -> bool:
    """Whether a run's own settings name code to import: a run folder may be a stranger's, so it is not."""
    return any(is_custom(str(run.config.get(key, ""))) for key in ("model", "dataset"))


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
