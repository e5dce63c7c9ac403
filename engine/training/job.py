"""Everything that moves while a network trains, in one place, so that all of it can be saved."""

import math
from dataclasses import dataclass, field, replace

import torch
from prunescope.engine.config import RunConfig
from prunescope.engine.data import Dataset, load_for
from prunescope.engine.data.dataset import Progress
from prunescope.engine.models import build_for
from prunescope.engine.training.environment import derived_seed, pick_device, seed_everything
from prunescope.engine.training.losses import Objective, objective
from prunescope.engine.training.optimizers import OPTIMIZERS
from prunescope.engine.training.schedules import Schedule, schedule_of
from prunescope.engine.training.start import Pruning
from torch import Tensor, nn

# Examples evaluated at once. A whole validation set would not fit beside a ResNet, and on a CPU 1,000 images take
# 1.6 times as long as ten batches of 100, whose activations stay in the cache.
_AT_ONCE, _AT_ONCE_ON_CPU = 1000, 100


class BatchOrder:
    """The order of the training examples: one explicit generator, a permutation an epoch.

    Attributes
    ----------
    state : of the generator before the permutation of the current epoch was drawn, so
        that a run taken up inside an epoch draws the same one again.
    """

    def __init__(self, n_examples: int, batch_size: int, seed: int) -> None:
        self.n_examples = n_examples
        self.batch_size = min(batch_size or n_examples, n_examples)
        self.steps = math.ceil(n_examples / self.batch_size)
        self._generator = torch.Generator().manual_seed(seed)
        self.state = self._generator.get_state()

    def begin(self, state: Tensor) -> None:
        """Take up the order where `state` was read."""
        self.state = state
        self._generator.set_state(state)

    def draw(self) -> Tensor:
        """The permutation of the epoch that begins now, (n_examples,) int64."""
        self.state = self._generator.get_state()
        return torch.randperm(self.n_examples, generator=self._generator)

    def advance(self) -> None:
        """The epoch is over: what is saved from now on belongs to the next one."""
        self.state = self._generator.get_state()


@dataclass(kw_only=True)
class Job:
    """A training in progress.

    Attributes
    ----------
    step : updates done so far, from which the epoch and the learning rate follow
    outputs : what the net answered to the batches of this epoch, for the training metrics
    first_step : where this run begins; above 0 when it takes up another run's training
    prunings : removals to come, in order
    masks : parameter name → True where kept; `held` and `factors` are the same, ready for the step
    """

    config: RunConfig
    data: Dataset
    model: nn.Module
    optimizer: torch.optim.Optimizer
    schedule: Schedule
    objective: Objective
    order: BatchOrder
    device: torch.device
    step: int = 0
    outputs: list[Tensor] = field(default_factory=list)
    first_step: int = 0
    prunings: tuple[Pruning, ...] = ()
    masks: dict[str, Tensor] = field(default_factory=dict)
    held: list[Tensor] = field(default_factory=list)
    factors: list[Tensor] = field(default_factory=list)

    @property
    def total_steps(self) -> int:
        return self.config.epochs * self.order.steps

    @property
    def epoch(self) -> float:
        """Epochs done; a fraction inside an epoch."""
        return self.step / self.order.steps

    @property
    def is_between_epochs(self) -> bool:
        return self.step % self.order.steps == 0

    def draw_rows(self) -> Tensor:
        """The examples of the epoch in which the next step lies, in order, on the device."""
        return self.order.draw().to(self.device)

    def end_epoch(self) -> None:
        """Forget what belonged to the epoch that is over."""
        self.outputs.clear()
        self.order.advance()

    @torch.no_grad()
    def evaluate(self, inputs: Tensor, targets: Tensor) -> tuple[float, float]:
        """Loss and accuracy on given examples, with dropout off and running statistics used."""
        self.model.eval()
        at_once = _AT_ONCE_ON_CPU if inputs.device.type == "cpu" else _AT_ONCE
        outputs = torch.cat([self.model(batch) for batch in inputs.split(at_once)])
        self.model.train()
        return self.judge(outputs, targets)

    @torch.no_grad()
    def judge(self, outputs: Tensor, targets: Tensor) -> tuple[float, float]:
        """Loss and accuracy of given outputs."""
        loss = self.objective.loss(outputs, targets).item()
        return loss, self.objective.correct(outputs, targets).double().mean().item()


def new_job(config: RunConfig, *, progress: Progress | None = None) -> Job:
    """Load the data, seed everything, build the net: a training at its very beginning."""
    device = pick_device(config.device)
    data = _on(device, load_for(config, progress=progress))
    seed_everything(config.seed)
    model = build_for(config, data).to(device).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    order = BatchOrder(len(data.train_x), config.batch_size, derived_seed(config.seed, 3))
    return Job(
        config=config,
        data=data,
        model=model,
        # The first optimiser of a process makes torch import its compiler, 2 s: here, so that what has appeared
        # on the screen once goes on to move.
        optimizer=OPTIMIZERS[config.optimizer](trained, config),
        schedule=schedule_of(config, order.steps),
        objective=objective(config),
        order=order,
        device=device,
    )


def _on(device: torch.device, data: Dataset) -> Dataset:
    """The data on the device, whole: a copy per batch would cost more than a small net's step."""
    moved = {name: getattr(data, name).to(device) for name in ("train_x", "train_y", "val_x", "val_y")}
    return replace(data, **moved)
