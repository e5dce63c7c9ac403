"""One description of a setting serves its check, its flag and its form control."""

import pickle
import re

import numpy as np
import pytest
from prunescope.engine.fields import ConfigError, FieldSpec, unknown_name


def spec(kind, **more):
    return FieldSpec(name="x", label="X", help="", group="g", kind=kind, default=None, **more)


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        (spec("int"), " 12 ", 12),
        (spec("float"), "1e-3", 0.001),
        (spec("bool"), "Yes", True),
        (spec("bool"), "0", False),
        (spec("choice", choices=("a", "b")), "b", "b"),
        (spec("list", item="int"), "300, 100", (300, 100)),
        (spec("list"), "conv*,fc1", ("conv*", "fc1")),
        (spec("list"), "", ()),
        (spec("str", optional=True), "", None),
    ],
)
def test_a_text_means_a_value(field, text, value):
    assert field.parse(text) == value


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        (spec("int", minimum=1, maximum=9), "ten", "'ten' is not a whole number: give a whole"),
        (spec("int", minimum=1, maximum=9), "2.5", "'2.5' is not a whole number"),
        (spec("float", minimum=0.0, maximum=1.0), "nan", "nan is out of range: give a number"),
        (spec("float", minimum=0.0, maximum=1.0), "1.5", "1.5 is out of range"),
        (spec("bool"), "maybe", "'maybe' is neither true nor false: choose one."),
        (spec("choice", choices=("adam", "sgd")), "adm", "Did you mean 'adam'? Known: adam, sgd."),
        (spec("list", item="int"), "300,x", "'x' is not a whole number"),
    ],
)
def test_a_text_that_means_nothing_is_answered_with_what_to_write(field, text, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        field.parse(text)


HUGE = pytest.param(10**5000, id="a number of 5,001 digits")


@pytest.mark.parametrize("value", [True, "3", None, 2.0, [3], {"a": 1}, HUGE])
def test_only_whole_numbers_pass_for_whole_numbers(value):
    with pytest.raises(ValueError, match="whole number"):
        spec("int", minimum=0, maximum=10).clean(value)


def test_numbers_of_a_sweep_become_plain_ones():
    assert type(spec("int").clean(np.int64(3))) is int
    assert type(spec("float").clean(np.float32(0.5))) is float
    assert type(spec("float").clean(1)) is float


@pytest.mark.parametrize("text", ["a\x00b", "line\nbreak", "x" * 1001, "\ud800"])
def test_texts_that_could_break_a_path_or_a_page_are_refused(text):
    with pytest.raises(ValueError, match="too long or has control characters"):
        spec("str").clean(text)


def test_a_message_never_repeats_a_page_of_input():
    with pytest.raises(ValueError, match="…") as caught:
        spec("choice", choices=("a",)).clean("y" * 900)
    assert len(str(caught.value)) < 150


def test_an_unknown_name_is_answered_with_the_nearest_and_all():
    assert unknown_name("resnet-18", ["vgg11", "resnet18"], patterns="wrn-d-k") == (
        "'resnet-18' is unknown. Did you mean 'resnet18'? Known: vgg11, resnet18, or wrn-d-k."
    )
    assert "mean" not in unknown_name("zzz", ["vgg11"])


def test_a_config_error_survives_the_way_between_processes():
    error = ConfigError({"lr": "is odd", "epochs": "is even"})
    again = pickle.loads(pickle.dumps(error))
    assert again.problems == error.problems
    assert str(again) == "lr: is odd\nepochs: is even"
