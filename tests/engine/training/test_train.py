"""train(): what it records, and that the same seed gives the same weights."""

import random
import signal
import time

import numpy as np
import pytest
import torch
from prunescope.engine import train
from prunescope.engine.config import ConfigError
from prunescope.engine.settings import OPTIMIZERS as OFFERED
from prunescope.engine.store import StoreFull
from prunescope.engine.training import Diverged, job, journal
from prunescope.engine.training.control import Control
from prunescope.engine.training.job import BatchOrder, new_job
from prunescope.engine.training.optimizers import OPTIMIZERS
from prunescope.engine.training.session import train_run, work
from prunescope.engine.training.start import Start, write_start


def test_digits_are_learnt(store, small):
    run = train(small(epochs=8, train_examples=0, hidden=(64,)), store)
    assert run.status == "done"
    assert run.metrics()["val/accuracy"][-1] > 0.9
    assert run.metrics()["val/accuracy"][0] < 0.3


def test_xord_is_learnt_by_its_own_net_and_loss(store, small):
    config = small(
        dataset="xord", model="xord-net", hidden=(30,), epochs=150, lr=0.002, optimizer="sgd", momentum=0.0,
        batch_size=0, init="normal", init_scale=0.01, train_examples=0,
    )  # fmt: skip
    run = train(config, store)
    assert run.metrics()["train/accuracy"][-1] == 1.0
    assert run.metrics()["train/loss"][-1] == 0.0
    # The validation set holds each of the 15 pattern sets, so this is the exact test error.
    assert run.metrics()["val/accuracy"][-1] == 1.0


def test_every_epoch_and_the_initialisation_are_recorded(store, small):
    run = train(small(), store)
    assert run.epochs.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert set(run.metrics()) == {"train/loss", "train/accuracy", "val/loss", "val/accuracy", "lr"}
    assert all(np.isfinite(values).all() for values in run.metrics().values())


def test_epoch_zero_is_the_initialisation(store, small):
    config = small()
    run = train(config, store)
    initial = new_job(config).model.state_dict()
    recorded = run.arrays(0.0)
    assert recorded.keys() == initial.keys()
    for name, tensor in initial.items():
        np.testing.assert_array_equal(recorded[name], tensor.numpy())


@pytest.mark.parametrize("trained", [False, True])
def test_an_untrained_network_is_measured_on_some_training_examples_and_a_trained_one_on_all(
    store, small, monkeypatch, trained
):
    monkeypatch.setattr(journal, "UNTRAINED_EXAMPLES", 50)
    config = small(epochs=1)
    known = new_job(config)
    if trained:
        weights = {"fc2.bias": np.linspace(-1, 1, 10, dtype=np.float32)}
        known.model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=False)
    run = store.run(store.create_run(config.to_dict(), name="begun"))
    if trained:
        write_start(run.path, Start(weights=weights))

    measured = train_run(store, run.id).metrics()

    some = slice(None) if trained else torch.randperm(320, generator=torch.Generator().manual_seed(0))[:50]
    loss, accuracy = known.evaluate(known.data.train_x[some], known.data.train_y[some])
    assert measured["train/loss"][0] == pytest.approx(loss, rel=1e-6)
    assert measured["train/accuracy"][0] == pytest.approx(accuracy)


def test_snapshots_may_be_rarer_and_the_last_epoch_is_always_kept(store, small):
    assert train(small(epochs=5, snapshot_every=2), store).epochs.tolist() == [0.0, 2.0, 4.0, 5.0]


def test_early_snapshots_lie_inside_the_first_epochs(store, small):
    # 320 examples in batches of 64: 5 steps an epoch, so 4 + 4 free places in two epochs.
    run = train(small(early_snapshots=4), store)
    assert run.epochs.tolist() == [0.0, 0.2, 0.4, 0.8, 1.0, 1.8, 2.0, 3.0]


def test_early_snapshots_do_not_change_the_training(store, small):
    with_them, without = train(small(early_snapshots=4), store), train(small(), store)
    for name, array in without.arrays(3.0).items():
        np.testing.assert_array_equal(with_them.arrays(3.0)[name], array)


def test_the_training_metrics_are_those_of_the_batches_as_they_were_met(store, small):
    """Against the plainest loop: a mean over batches of equal size."""
    config = small(epochs=1)
    run = train(config, store)
    job = new_job(config)
    losses, hits = [], 0
    for batch in job.order.draw().split(config.batch_size):
        outputs = job.model(job.data.train_x[batch])
        loss = torch.nn.functional.cross_entropy(outputs, job.data.train_y[batch])
        job.optimizer.zero_grad()
        loss.backward()
        job.optimizer.step()
        losses.append(loss.item())
        hits += (outputs.argmax(1) == job.data.train_y[batch]).sum().item()
    assert run.metrics()["train/loss"][1] == pytest.approx(np.mean(losses), rel=1e-5)
    assert run.metrics()["train/accuracy"][1] == pytest.approx(hits / 320)


def test_the_recorded_learning_rate_is_that_of_the_update_before(store, small):
    run = train(small(lr=0.01, warmup_epochs=1.0), store)
    # Five steps of warm-up: the first update uses 1/5 of it, the fifth all.
    assert run.metrics()["lr"].tolist() == pytest.approx([0.002, 0.01, 0.01, 0.01])


def test_the_same_seed_gives_the_same_weights_to_the_bit(store, small, assert_same_run):
    assert_same_run(train(small(), store), train(small(), store))


def test_another_seed_gives_other_weights(store, small):
    one, other = train(small(seed=1), store), train(small(seed=2), store)
    assert (one.arrays(3.0)["fc1.weight"] != other.arrays(3.0)["fc1.weight"]).any()


def test_the_callers_random_states_threads_and_flags_are_left_alone(store, small):
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002
    random.seed(5)
    before = torch.get_rng_state(), np.random.get_state()[1], random.getstate(), torch.get_num_threads()  # noqa: NPY002
    train(small(), store)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    assert random.getstate() == before[2]
    assert torch.get_num_threads() == before[3]
    assert not torch.are_deterministic_algorithms_enabled()


def test_every_optimiser_that_the_config_offers_is_there_and_no_other():
    assert set(OPTIMIZERS) == set(OFFERED)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimiser_runs_and_lowers_the_loss(store, small, name):
    loss = train(small(optimizer=name, lr=0.01), store).metrics()["train/loss"]
    assert loss[-1] < loss[0]


def test_weight_decay_reaches_the_optimiser(store, small):
    plain, decayed = train(small(), store), train(small(weight_decay=0.5, optimizer="adamw"), store)
    assert np.linalg.norm(decayed.arrays(3.0)["fc1.weight"]) < np.linalg.norm(plain.arrays(3.0)["fc1.weight"])


def test_label_noise_reaches_the_data(store, small):
    """A net that fits noise knows nothing of the validation labels."""
    run = train(small(label_noise=1.0, epochs=5), store)
    assert run.metrics()["val/accuracy"][-1] < 0.3


def test_only_the_asked_layers_are_declared_and_all_tensors_are_kept(store, small):
    run = train(small(hidden=(16, 8), layers=("fc2",)), store)
    assert [layer.name for layer in run.layers] == ["fc2"]
    assert "fc1.weight" in run.arrays(3.0)


def test_half_precision_recording_is_declared(store, small):
    run = train(small(record_dtype="float16"), store)
    assert {layer.dtype for layer in run.layers} == {"float16"}


def test_a_loss_that_blows_up_ends_the_run_as_failed_and_keeps_what_was_recorded(store, small):
    config = small(lr=1000.0, optimizer="sgd", weight_decay=10.0, epochs=50)
    with pytest.raises(Diverged, match="Lower the learning rate"):
        train(config, store)
    (run,) = store.runs()
    assert run.status == "failed"
    assert "Lower the learning rate (lr is 1000)" in run.head.message
    assert run.epochs[0] == 0.0
    assert all(np.isfinite(run.metrics()["train/loss"]))


def test_a_callback_hears_of_every_epoch_and_its_error_fails_the_run(store, small):
    heard = []
    train(small(), store, on_epoch=lambda epoch, metrics: heard.append((epoch, sorted(metrics)[0])))
    assert heard == [(float(epoch), "lr") for epoch in range(4)]

    def break_down(epoch, metrics):
        raise RuntimeError(f"no more at {epoch:g}")

    with pytest.raises(RuntimeError, match="no more"):
        train(small(name="broken"), store, on_epoch=break_down)
    assert store.runs()[0].head.message == "RuntimeError: no more at 0"


def test_ctrl_c_keeps_the_run_resumable_and_still_interrupts(store, small):
    def interrupt(epoch, metrics):
        if epoch == 1:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(small(), store, on_epoch=interrupt)
    (run,) = store.runs()
    assert run.status == "stopped"
    assert run.epochs.tolist() == [0.0, 1.0]


def test_a_permutation_visits_every_example_once_and_differs_between_epochs():
    order = BatchOrder(10, 3, seed=0)
    first = order.draw()
    order.advance()
    assert sorted(first.tolist()) == list(range(10))
    assert first.tolist() != order.draw().tolist()
    assert order.steps == 4


def test_a_batch_size_of_zero_means_all_examples():
    assert BatchOrder(10, 0, seed=0).steps == 1
    assert BatchOrder(10, 64, seed=0).steps == 1


def test_a_model_that_does_not_fit_the_data_is_refused_before_anything_is_recorded(store, small):
    with pytest.raises(ConfigError):
        train(small(model="xord-net", hidden=()), store)
    assert store.runs() == []


def test_a_stop_while_the_data_is_being_prepared_ends_the_run(store, small, monkeypatch):
    """As in the middle of a long download."""

    def slow_download(config, progress):
        progress("train-images.gz", 6, 12)
        store.runs()[0].request("stop")
        time.sleep(0.15)
        progress("train-images.gz", 7, 12)
        raise AssertionError("not stopped")

    monkeypatch.setattr(job, "load_for", slow_download)
    assert train(small(), store).status == "stopped"


def test_a_disk_too_full_for_the_last_word_does_not_hide_the_error(small):
    class Full:
        def set_state(self, state, message=""):
            raise StoreFull("no room")

    with pytest.raises(StoreFull, match="no room"):
        work(Full(), small(), Control(list))
