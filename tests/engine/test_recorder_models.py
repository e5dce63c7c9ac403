"""The recorder reads any network that people have, and each network comes back from its run."""

import numpy as np
import pytest
import torch
from prunescope.engine import Recorder, Store
from torch import nn


class Language(nn.Module):
    """An LSTM whose output layer is the embedding."""

    def __init__(self):
        super().__init__()
        self.words, self.memory, self.out = nn.Embedding(20, 8), nn.LSTM(8, 8, 2, batch_first=True), nn.Linear(8, 20)
        self.out.weight = self.words.weight

    def forward(self, x):
        return self.out(self.memory(self.words(x))[0])


def dense():
    return nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 2))


def transformer():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 1, enable_nested_tensor=False)


def once(model):
    """One epoch of somebody's training."""
    weight = next(model.parameters())
    if isinstance(model, Language):
        inputs = torch.randint(0, 20, (3, 5))
    else:
        inputs = torch.randn(3, 5, 8 if isinstance(model, nn.TransformerEncoder) else 6, dtype=weight.dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    model(inputs).square().mean().backward()
    optimizer.step()


NETWORKS = {
    "transformer": (transformer, ["layers.0.self_attn.out_proj", "layers.0.linear1", "layers.0.linear2"]),
    "shared weights": (Language, ["out"]),
    "half precision": (lambda: dense().bfloat16(), ["0", "2"]),
    "double precision": (lambda: dense().double(), ["0", "2"]),
    "data parallel": (lambda: nn.DataParallel(dense()), ["0", "2"]),
    "compiled": (lambda: torch.compile(dense(), backend="eager"), ["0", "2"]),
    "spectral norm": (lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(6, 4))), ["0"]),
}


@pytest.mark.parametrize("kind", NETWORKS)
# torch's compiler warns about its own use of torch.
@pytest.mark.filterwarnings("default::DeprecationWarning", "default::FutureWarning")
def test_a_network_of_any_kind_is_recorded_and_comes_back(tmp_path, kind):
    make, layers = NETWORKS[kind]
    model = make()
    with Recorder(tmp_path, name=kind, model=model) as recorder:
        once(model)
        recorder.log(1)
        last = {name: value.clone() for name, value in model.state_dict().items()}
        once(model)
    run = Store(tmp_path).run(recorder.run_id)
    assert (run.status, run.epochs.tolist()) == ("done", [0, 1])
    assert [layer.name for layer in run.layers] == layers
    assert not np.array_equal(run.weights(layers[-1], 0), run.weights(layers[-1], 1))
    fresh = make()
    inner = getattr(fresh, "module", getattr(fresh, "_orig_mod", fresh))
    inner.load_state_dict(run.state_dict(1), strict=False)
    assert all(torch.equal(value, last[name]) for name, value in fresh.state_dict().items())


def test_two_networks_that_train_each_other_are_two_runs(tmp_path):
    generator, judge = dense(), dense()
    with (
        Recorder(tmp_path, name="generator", model=generator) as one,
        Recorder(tmp_path, name="judge", model=judge, layers=("2",)) as other,
    ):
        for epoch in range(2):
            once(generator)
            once(judge)
            one.log(epoch)
            other.log(epoch)
    runs = {run.name: run for run in Store(tmp_path).runs()}
    assert [len(runs[name].epochs) for name in ("generator", "judge")] == [3, 3]
    assert [layer.name for layer in runs["judge"].layers] == ["2"]


def test_what_is_no_network_is_one_warning(tmp_path):
    with pytest.warns(UserWarning, match="model: int, expected a torch.nn.Module"):
        Recorder(tmp_path, model=5).log(1)
