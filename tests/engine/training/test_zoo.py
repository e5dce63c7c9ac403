"""Every network of the zoo trains an epoch, from the first weight to the last record, on grey digits and on colour photos."""

import numpy as np
import pytest
from PIL import Image
from prunescope.engine import RunConfig, Store, train
from prunescope.engine.models import MODELS

IMAGE_MODELS = [name for name, spec in MODELS.items() if spec.inputs != "pairs" and name != "wrn-28-10"]
# Two steps an epoch; a sixteenth of the width, of which the smallest layers keep a unit or two.
QUICK = {"epochs": 1, "batch_size": 8, "train_examples": 16, "width": 1 / 16, "threads": 1}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Ten classes of 32×32 colour images as a folder of class folders, in CIFAR-10's shape; two a class each side."""
    root = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for side in ("train", "test"):
        for number in range(10):
            folder = root / side / f"class {number}"
            folder.mkdir(parents=True)
            for index in range(2):
                Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(folder / f"{index}.png")
    return root


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return Store(tmp_path_factory.mktemp("zoo"))


@pytest.mark.parametrize("model", [*IMAGE_MODELS, "wrn-10-1"])
@pytest.mark.parametrize("dataset", ["digits", "folder"])
def test_every_model_trains_on_digits_and_on_colour_photos(store, photos, dataset, model):
    """An odd size or a rank that only one layer of one net has shows nowhere else."""
    data_dir = str(photos) if dataset == "folder" else None
    run = train(RunConfig(dataset=dataset, data_dir=data_dir, model=model, **QUICK), store)
    assert run.status == "done"
    assert run.epochs.tolist() == [0, 1]
    assert np.isfinite(run.metrics()["train/loss"]).any()
    for layer in run.layers:
        before, after = run.weights(layer.name, 0), run.weights(layer.name, 1)
        assert before.shape == (layer.units, layer.fan_in)
        assert np.isfinite(after).all()
    # Batch normalisation or a dead unit may hold one layer still, never the last one.
    last = run.layers[-1].name
    assert not np.array_equal(run.weights(last, 0), run.weights(last, 1))


def test_the_advanced_settings_all_together(store, photos):
    """The form's whole second page at once: what each does alone is tested beside its code."""
    run = train(
        RunConfig(
            dataset="folder", data_dir=str(photos), model="conv2", epochs=3, batch_size=4, width=1 / 16, threads=1,
            init="kaiming-normal", init_scale=0.1, optimizer="adamw", weight_decay=0.01, schedule="cosine",
            warmup_epochs=1, label_noise=0.5, early_snapshots=4, train_examples=16, layers=("conv*",),
            record_dtype="float16", seed=3,
        ),
        store,
    )  # fmt: skip
    assert run.status == "done"
    assert [layer.name for layer in run.layers] == ["conv1", "conv2"]
    inside = [epoch for epoch in run.epochs.tolist() if epoch % 1]
    assert len(inside) >= 2 and max(inside) < 3
    rates = run.metrics()["lr"]
    rates = rates[np.isfinite(rates)]
    # Up during the first epoch, then down the cosine.
    assert rates.argmax() not in (0, len(rates) - 1)
    assert rates[-1] < rates.max() / 2
