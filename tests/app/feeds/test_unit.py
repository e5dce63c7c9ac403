"""A unit's picture: the shape that its weights are shown in."""

from types import SimpleNamespace

import pytest
from prunescope.app.feeds.unit import image_read_by, picture_shape
from prunescope.engine.store import LayerInfo

CONV = LayerInfo(name="conv", kind="conv", units=2, fan_in=180, shape=(2, 20, 3, 3))
COLOURS = LayerInfo(name="fc1", kind="linear", units=2, fan_in=3072, shape=(2, 3072))
INNER = LayerInfo(name="fc2", kind="linear", units=2, fan_in=100, shape=(2, 100))


@pytest.mark.parametrize(
    ("layer", "shown"),
    [(CONV, (16, (3, 3))), (COLOURS, (3, (32, 32))), (INNER, (1, (2, 64)))],
    ids=["kernels", "colours", "plain"],
)
def test_only_a_layer_that_reads_the_image_is_shown_as_one(layer, shown):
    run = SimpleNamespace(layers=(COLOURS, INNER, CONV), meta={"dataset": {"input_shape": [3, 32, 32]}})
    assert picture_shape(layer, image_read_by(run, layer)) == shown


def test_a_recorded_run_that_says_nothing_of_its_data_has_rows_of_numbers():
    run = SimpleNamespace(layers=(COLOURS,), meta={})
    assert picture_shape(COLOURS, image_read_by(run, COLOURS)) == (1, (48, 64))
