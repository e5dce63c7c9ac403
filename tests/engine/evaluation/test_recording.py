"""The size told before a run starts is the size that the run then has."""

import pytest
from prunescope.engine.config import ConfigError, RunConfig
from prunescope.engine.evaluation.recording import recording
from prunescope.engine.store import Store
from prunescope.engine.training import train


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_the_estimate_is_within_a_fifth_of_what_a_run_takes(tmp_path, dtype):
    config = RunConfig(
        dataset="xord", model="mlp", hidden=(700,), epochs=300, snapshot_every=2, train_examples=8, record_dtype=dtype,
        threads=1,
    )  # fmt: skip
    (told,) = recording(None, {"config": config.to_dict()})
    run = train(config, Store(tmp_path))
    assert told["snapshots"] == len(run.epochs) == 151
    assert told["parameters"] == sum(value.numel() for value in run.state_dict(300).values())
    taken = sum(path.stat().st_size for path in run.path.rglob("*") if path.is_file())
    run.close()
    assert told["bytes"] == pytest.approx(taken, rel=0.2)


def test_settings_that_cannot_be_used_have_no_estimate():
    with pytest.raises(ConfigError, match="epochs"):
        next(recording(None, {"config": {"epochs": 0}}))
