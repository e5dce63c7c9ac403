"""Small networks, and the slow and obvious ways to prune them that every fast path is compared with."""

import copy
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
import torch
from torch import Tensor, nn


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _shake(model: nn.Module, seed: int = 0, gain: float = 1.0) -> nn.Module:
    """Random weights and BatchNorm statistics as after training: shifts that outlive a zeroed weight."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Conv1d, nn.Conv2d)):
            fan_in = module.weight[0].numel()
            module.weight.data.normal_(0, gain * (2 / fan_in) ** 0.5, generator=generator)
            if module.bias is not None:
                module.bias.data.normal_(0, 0.3, generator=generator)
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.running_mean.normal_(0, 0.3, generator=generator)
            module.running_var.uniform_(0.5, 2.0, generator=generator)
            if module.affine:
                module.weight.data.uniform_(0.5, 1.5, generator=generator)
                module.bias.data.normal_(0, 0.3, generator=generator)
    return model.eval()


@pytest.fixture(scope="session")
def shake() -> Callable[..., nn.Module]:
    return _shake


@pytest.fixture
def zeroed() -> Callable[..., nn.Module]:
    """A copy in which units have weight, bias and BatchNorm entry zero; exact behind ReLU, by definition."""

    def zero(model: nn.Module, layer: str, units: Sequence[int], norm: str | None = None) -> nn.Module:
        twin = copy.deepcopy(model)
        for name in (layer, norm):
            if name is not None:
                module = twin.get_submodule(name)
                module.weight.data[list(units)] = 0
                if module.bias is not None:
                    module.bias.data[list(units)] = 0
        return twin

    return zero


@pytest.fixture
def naive_counts(zeroed: Callable[..., nn.Module]) -> Callable[..., list[int]]:
    """Correct answers at every level, each masked network evaluated by itself."""

    @torch.no_grad()
    def count(
        model: nn.Module,
        layer: str,
        order: np.ndarray,
        inputs: Tensor,
        targets: Tensor,
        norm: str | None = None,
    ) -> list[int]:
        return [
            int((zeroed(model, layer, order[:k].tolist(), norm)(inputs).argmax(1) == targets).sum())
            for k in range(len(order) + 1)
        ]

    return count


class Block(nn.Module):
    """conv-BN-ReLU-conv-BN beside a shortcut; the in-place ReLU is deliberate."""

    def __init__(self, n_in: int, n_out: int):
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(n_out)
        self.relu = nn.ReLU(inplace=True)
        self.short = nn.Conv2d(n_in, n_out, 1) if n_in != n_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += self.short(x)
        return self.relu(out)


@pytest.fixture
def residual() -> nn.Module:
    return _shake(
        nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1),
            nn.BatchNorm2d(6),
            nn.ReLU(),
            Block(6, 6),
            Block(6, 8),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(8, 5),
        )
    )


@pytest.fixture
def mlp() -> nn.Module:
    return _shake(
        nn.Sequential(
            nn.Flatten(), nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 10)
        )
    )


@pytest.fixture
def convnet() -> nn.Module:
    return _shake(
        nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.Conv2d(8, 12, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(192, 20),
            nn.ReLU(),
            nn.Linear(20, 10),
        )
    )


@pytest.fixture
def images() -> tuple[Tensor, Tensor]:
    """(200, 1, 8, 8) noise and classes 0 to 9."""
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(200, 1, 8, 8, generator=generator)
    return inputs, torch.randint(0, 10, (200,), generator=generator)


@pytest.fixture(scope="session")
def digits() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """scikit-learn's digits, 1400 to train and 397 to validate: (1, 8, 8) images in 0 … 1."""
    from sklearn.datasets import load_digits

    found = load_digits()
    inputs = torch.tensor(found.images, dtype=torch.float32)[:, None] / 16
    targets = torch.tensor(found.target)
    shuffle = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(0))
    train, val = shuffle[:1400], shuffle[1400:]
    return inputs[train], targets[train], inputs[val], targets[val]


@pytest.fixture(scope="session")
def fit() -> Callable[[nn.Module, Tensor, Tensor], nn.Module]:
    """A few lines of training, seeded. With SGD: Adam leaves the norms of so small a net all alike."""

    def run(model: nn.Module, inputs: Tensor, targets: Tensor, epochs: int, lr: float) -> nn.Module:
        optimiser = torch.optim.SGD(model.parameters(), lr, momentum=0.9)
        generator = torch.Generator().manual_seed(0)
        for _ in range(epochs):
            for rows in torch.randperm(len(inputs), generator=generator).split(64):
                optimiser.zero_grad()
                nn.functional.cross_entropy(model(inputs[rows]), targets[rows]).backward()
                optimiser.step()
        return model.eval()

    return run
