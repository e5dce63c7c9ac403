"""Records: what goes in comes out, and nothing else does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from prunescope.engine.store import RunDamaged, StoreError, keys, records

DTYPES = [
    np.float16,
    np.float32,
    np.float64,
    np.int8,
    np.int16,
    np.int32,
    np.int64,
    np.uint8,
    np.bool_,
    np.complex64,
]
arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: npst.arrays(dtype, npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)


@given(st.dictionaries(st.text(max_size=20), arrays, max_size=4))
@settings(max_examples=60, deadline=None)
def test_bundles_give_back_every_array_to_the_bit(bundle):
    data = records.pack_bundle(bundle, 7, order=list(bundle)).joined()
    unpacked, order = records.unpack_bundle(data, "x", 7)
    assert order == list(bundle)
    assert {name: (a.dtype, a.shape, a.tobytes()) for name, a in unpacked.items()} == {
        name: (a.dtype, a.shape, a.tobytes()) for name, a in bundle.items()
    }


@given(st.integers(0, 10**6), st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_any_changed_byte_is_noticed(position, change):
    data = bytearray(records.pack_bundle({"a": np.arange(20.0)}, 3).joined())
    data[position % len(data)] ^= change
    with pytest.raises(RunDamaged):
        records.unpack_bundle(data, "x", 3)


@given(st.integers(0, 300))
@settings(deadline=None)
def test_any_cut_is_noticed(length):
    data = records.pack_bundle({"a": np.arange(20.0)}, 3).joined()
    with pytest.raises(RunDamaged):
        records.unpack_bundle(data[: min(length, len(data) - 1)], "x", 3)


def test_a_record_of_another_epoch_or_layer_is_refused():
    data = records.pack_json({"a": 1}, 5).joined()
    assert records.unpack_json(data, "x", 5) == {"a": 1}
    with pytest.raises(RunDamaged, match="swapped"):
        records.unpack_json(data, "x", 6)


def test_objects_are_refused():
    with pytest.raises(StoreError, match=r"'t'.*number"):
        records.pack_bundle({"t": np.array([object()])}, 0)


@pytest.mark.parametrize("shape", [[2**62, 4], [-1, -1], [10**30], ["4"], [True]])
def test_a_shape_that_the_bytes_cannot_fill_is_refused_before_memory_is_asked_for(shape):
    import json

    text = json.dumps({"arrays": [["a", "<f4", shape]], "order": []}).encode()
    payload = [len(text).to_bytes(8, "little"), text, bytes(16)]
    header = records.Header(records.BUNDLE, records.NO_LAYER, 0, sum(map(len, payload)), 0)
    with pytest.raises(RunDamaged, match="bundle"):
        records.unpack_bundle(records.pack(header, payload).joined(), "x", 0)


@given(
    npst.arrays(
        np.float32, (4, 30), elements=st.floats(-1, 1, width=32, allow_subnormal=False), unique=False
    ),
    st.sampled_from([1e-30, 1e-6, 1.0, 1e30]),
)
@settings(max_examples=60, deadline=None)
def test_half_precision_with_a_row_scale_keeps_every_angle(weights, scale):
    rows = (weights * np.float32(scale)).astype(np.float32)
    back = np.empty_like(rows)
    records.unhalve(b"".join(records._halved(rows)), back)
    largest = np.abs(rows).max(axis=1, keepdims=True)
    # float16 has 11 bits: relative to the largest of a row, at most 2^-12 plus the subnormal step.
    assert np.all(np.abs(back - rows) <= largest * (2.0**-11))


def test_half_precision_keeps_what_is_not_finite_visible():
    rows = np.array([[1, np.nan, np.inf], [0, 0, 0]], np.float32)
    back = np.empty_like(rows)
    records.unhalve(b"".join(records._halved(rows)), back)
    assert np.array_equal(back, rows, equal_nan=True)


@given(st.floats(0, 10**8), st.floats(0, 10**8))
def test_the_order_of_keys_is_the_order_of_epochs(one, other):
    first, second = keys.epoch_key(one), keys.epoch_key(other)
    assert (keys.metrics_key(first) < keys.metrics_key(second)) == (first < second)
    assert keys.epoch_of(keys.weights_key(12, first)) == first
    assert abs(keys.key_epoch(first) - one) <= 5.1e-7


@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf"), 1e10])
def test_an_epoch_that_has_no_key_is_refused(bad):
    with pytest.raises(StoreError, match="epoch"):
        keys.epoch_key(bad)
