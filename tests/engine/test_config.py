"""Settings are checked whole, before anything starts."""

import dataclasses
import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prunescope.engine.config import ConfigError, RunConfig, check_fits, field_specs
from prunescope.engine.data import DATASETS
from prunescope.engine.models import MODELS
from prunescope.engine.models.init import SCHEMES
from prunescope.engine.presets import DEMO, PRESETS, XORD
from prunescope.engine.settings import INITS


def problems(**values):
    with pytest.raises(ConfigError) as caught:
        RunConfig(**values)
    return caught.value.problems


def misfits(**values):
    with pytest.raises(ConfigError) as caught:
        check_fits(RunConfig(**values))
    return caught.value.problems


def test_the_defaults_need_no_network_and_fit_each_other():
    config = RunConfig()
    assert config.dataset == "digits"
    check_fits(config)


def test_settings_and_the_lists_behind_a_form_load_without_torch():
    code = (
        "import sys; from prunescope.engine.presets import DEMO;"
        "from prunescope.engine.config import check_fits, field_specs; check_fits(DEMO);"
        "import prunescope.engine.data, prunescope.engine.models; field_specs();"
        "print([name for name in ('torch', 'sklearn', 'torchvision', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_problem_is_told_at_once():
    found = problems(epochs=0, lr=-1.0, optimizer="adm", width=float("inf"), seed=1.5, hidden=(0,), layers=())
    assert set(found) == {"epochs", "lr", "optimizer", "width", "seed", "hidden", "layers"}
    assert found["epochs"] == "0 is out of range: give a whole number from 1 to 100,000."
    assert found["optimizer"].startswith("'adm' is unknown. Did you mean 'adam'?")


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"dataset": "mnst"}, "dataset", "Did you mean 'mnist'?"),
        ({"dataset": "mnst"}, "dataset", "fashion-mnist"),
        ({"model": "lenet"}, "model", "Did you mean 'lenet-300-100'?"),
        ({"model": "wrn-17-4"}, "model", "d = 6n + 4"),
        ({"model": "wrn-16-0"}, "model", "k from 1 to 20"),
        ({"model": "a b:c"}, "model", "is unknown"),
        ({"model": "conv4", "hidden": (10,)}, "hidden", "use width"),
        ({"model": "channels", "hidden": (10, 10)}, "hidden", "takes one"),
        ({"model": "resnet20", "batch_size": 1}, "batch_size", "BatchNorm"),
        ({"epochs": 5, "warmup_epochs": 6}, "warmup_epochs", "longer than the 5 epochs"),
        ({"epochs": 5, "step_epochs": (3, 6)}, "step_epochs", "6 lies after the last epoch, 5"),
        ({"epochs": 5, "step_epochs": (3, 3)}, "step_epochs", "does not rise"),
        ({"dataset": "folder"}, "data_dir", "is empty"),
        ({"dataset": "xord", "corruption": "gaussian"}, "corruption", "needs images"),
        ({"dataset": "xord", "image_size": 8}, "image_size", "needs images"),
        ({"label_noise": 1.01}, "label_noise", "from 0.0 to 1.0"),
    ],
)
def test_impossible_settings_say_what_to_do(values, field, said):
    found = problems(**values)
    assert set(found) == {field}
    assert said in found[field]


def test_a_rule_is_silent_about_a_field_that_is_already_wrong():
    assert set(problems(model="convv2", hidden=(10,), dataset="nope", image_size=3)) == {"model", "dataset"}


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"dataset": "xord", "model": "conv2"}, "model", "the inputs are 8×2: choose mlp"),
        ({"dataset": "digits", "model": "xord-net", "loss": "cross-entropy"}, "model", "takes pairs"),
        ({"dataset": "digits", "loss": "margin"}, "loss", "digits has 10: take cross-entropy"),
        ({"dataset": "digits", "image_size": 2}, "model", "at least 3×3"),
        ({"dataset": "folder", "data_dir": "/no/such"}, "data_dir", "is no folder"),
        ({"dataset": "folder", "data_dir": "~no-such-user/x"}, "data_dir", "names no folder"),
        ({"dataset": "folder", "data_dir": "x" * 900}, "data_dir", "x"),
    ],
)
def test_a_model_that_does_not_fit_the_data_is_refused_before_anything_starts(values, field, said):
    found = misfits(**values)
    assert set(found) == {field}
    assert said in found[field]


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"dataset": "no_such_module:data"}, "dataset", "no module named 'no_such_module'"),
        ({"model": "json:no_such_function"}, "model", "json has no 'no_such_function'"),
        ({"model": "string:digits"}, "model", "digits is str, not callable"),
        ({"dataset": "broken_on_import:data"}, "dataset", "its import failed: ZeroDivisionError"),
        ({"device": "cuda"}, "device", "built for the CPU alone"),
        ({"device": "mps"}, "device", "only Macs have it"),
    ],
)
def test_own_code_and_devices_that_are_not_there_are_refused_before_anything_starts(
    values, field, said, tmp_path, monkeypatch
):
    (tmp_path / "broken_on_import.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("prunescope.engine.rules.version", lambda name: "2.13.0+cpu")
    monkeypatch.setattr("sys.platform", "linux")
    found = misfits(**values)
    assert set(found) == {field}
    assert said in found[field]


@pytest.mark.parametrize("model", [name for name in MODELS if name != "xord-net"])
def test_every_image_model_fits_the_smallest_images(model):
    check_fits(RunConfig(dataset="digits", model=model))


def test_unknown_settings_are_named_with_the_nearest_one():
    with pytest.raises(ConfigError) as caught:
        RunConfig.from_dict({"epohcs": 3, "lr": "fast"})
    assert "Did you mean 'epochs'?" in caught.value.problems["epohcs"]
    assert "'fast' is not a number" in caught.value.problems["lr"]


@pytest.mark.parametrize("field", ["dataset", "model"])
def test_own_code_runs_only_for_the_users_own_shell(field):
    values = {field: "os:getcwd"}
    assert getattr(RunConfig.from_dict(values, trusted=True), field) == "os:getcwd"
    with pytest.raises(ConfigError, match="only the command line may"):
        RunConfig.from_dict(values)


@pytest.mark.parametrize("values", [[], None, "epochs=3", 7])
def test_settings_that_are_no_table_are_refused(values):
    with pytest.raises(ConfigError, match="not a table"):
        RunConfig.from_dict(values)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from([spec.name for spec in field_specs()]) | st.text(max_size=8)


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(_NAMES, _JSON, max_size=6))
def test_no_input_whatever_does_more_than_be_refused(values):
    try:
        config = RunConfig.from_dict(values)
    except ConfigError as error:
        assert error.problems
        assert all(message.strip() for message in error.problems.values())
    else:
        assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize("config", [RunConfig(), *PRESETS.values()], ids=lambda config: config.title)
def test_settings_survive_json(config):
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_equal_runs_have_equal_hashes_and_others_not():
    base = RunConfig()
    assert base.config_hash == RunConfig(name="other", min_epoch_seconds=1.0, durable=True).config_hash
    changed = [{"seed": 1}, {"lr": 0.01}, {"layers": ("conv*",)}, {"label_noise": 0.5}]
    assert len({base.config_hash, *(RunConfig(**values).config_hash for values in changed)}) == 5
    # Whole numbers given for fractions are the same setting.
    assert RunConfig(width=1).config_hash == base.config_hash


def test_settings_cannot_be_changed_unchecked():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RunConfig().epochs = 0
    with pytest.raises(ConfigError):
        dataclasses.replace(RunConfig(), epochs=0)


def test_the_step_schedule_falls_at_half_and_three_quarters_unless_told():
    assert RunConfig(epochs=160).milestones == (80, 120)
    assert RunConfig(epochs=160, step_epochs=(30, 60)).milestones == (30, 60)
    assert RunConfig(epochs=1).milestones == ()


def test_the_loss_follows_the_model():
    assert RunConfig().loss_name == "cross-entropy"
    assert XORD.loss_name == "margin"
    assert dataclasses.replace(XORD, loss="cross-entropy").loss_name == "cross-entropy"


def test_every_field_describes_itself_for_form_and_flags():
    specs = {spec.name: spec for spec in field_specs()}
    assert list(specs) == [field.name for field in dataclasses.fields(RunConfig)]
    for spec in specs.values():
        assert spec.help
        assert spec.label
        assert spec.group in {"run", "data", "model", "training", "recording"}
        assert spec.clean(spec.default) == spec.default
        assert (spec.kind == "choice") == bool(spec.choices)
        assert (spec.kind in ("int", "float")) <= (spec.minimum is not None and spec.maximum is not None)
    # At most five controls are visible at once.
    assert sum(spec.basic for spec in specs.values()) == 5
    assert specs["dataset"].choices == tuple(DATASETS)
    assert specs["model"].choices == tuple(MODELS)


def test_every_init_scheme_that_can_be_chosen_exists():
    assert set(INITS) == {"default", *SCHEMES}


def test_the_demo_lasts_one_to_three_minutes_and_moves_every_second():
    assert 60 <= DEMO.epochs * DEMO.min_epoch_seconds <= 180
    assert DEMO.min_epoch_seconds < 1
    assert DEMO.dataset == "digits"


def test_every_preset_fits():
    for config in PRESETS.values():
        check_fits(config)


def test_a_run_that_begins_here_names_its_folder_from_the_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert RunConfig(dataset="folder", data_dir="pictures/").in_place.data_dir == str(tmp_path / "pictures")
    assert RunConfig().in_place == RunConfig()
    with pytest.raises(ConfigError, match="nobody-has-this-name"):
        _ = RunConfig(dataset="mnist", data_dir="~nobody-has-this-name/data").in_place
