"""What a dataset is when training gets it."""

import sys

import numpy as np
import pytest
import torch
from prunescope.engine.config import RunConfig
from prunescope.engine.data import DATASETS, describe_dataset, load_dataset, load_for


def test_digits_are_the_1797_of_scikit_learn_split_1400_and_397():
    data = load_dataset("digits")
    assert data.train_x.shape == (1400, 1, 8, 8)
    assert data.val_x.shape == (397, 1, 8, 8)
    assert (data.n_classes, data.input_shape) == (10, (1, 8, 8))
    assert data.train_x.dtype is torch.float32
    assert data.train_y.dtype is torch.int64
    assert data.train_x.is_contiguous()


def test_the_split_of_digits_is_stratified_and_the_same_for_every_seed():
    first, second = load_dataset("digits", seed=0), load_dataset("digits", seed=7)
    assert torch.equal(first.val_x, second.val_x)
    assert torch.equal(first.train_y, second.train_y)
    # Each class has 174 to 183 of the 1,797 examples, so 38 to 41 of these 397.
    assert 38 <= first.val_y.bincount().min() <= first.val_y.bincount().max() <= 41


def test_each_channel_is_standardised_by_the_training_set():
    data = load_dataset("digits")
    assert data.train_x.mean().abs() < 1e-5
    assert (data.train_x.std(correction=0) - 1).abs() < 1e-5
    # Blank is 0 of 16 in the files: one value, the lowest, in both sets.
    assert data.val_x.min() == data.train_x.min()


def test_a_subset_is_the_same_for_every_seed_and_scaled_like_the_whole():
    whole = load_dataset("digits")
    some, other = (load_dataset("digits", train_examples=100, seed=seed) for seed in (0, 1))
    assert some.train_x.shape[0] == 100
    assert torch.equal(some.train_x, other.train_x)
    assert torch.equal(some.val_x, whole.val_x)
    rows = {row.numpy().tobytes() for row in whole.train_x}
    assert all(row.numpy().tobytes() in rows for row in some.train_x)


def test_images_can_be_resized():
    data = load_dataset("digits", image_size=16)
    assert data.input_shape == (1, 16, 16)
    assert data.val_x.shape == (397, 1, 16, 16)


def test_a_run_gets_the_data_that_its_settings_describe():
    config = RunConfig(dataset="digits", image_size=12, label_noise=0.5, train_examples=50, seed=3)
    data = load_for(config)
    facts = describe_dataset(config)
    assert (data.input_shape, data.n_classes) == (facts.input_shape, facts.n_classes)
    same = load_dataset("digits", image_size=12, label_noise=0.5, train_examples=50, seed=3)
    assert torch.equal(data.train_y, same.train_y)
    assert not torch.equal(data.train_y, load_dataset("digits", train_examples=50).train_y)


def test_noise_and_corruption_leave_validation_labels_alone():
    clean, noisy = load_dataset("digits"), load_dataset("digits", label_noise=1.0, corruption="random-pixels")
    assert torch.equal(clean.val_y, noisy.val_y)


def test_an_unknown_dataset_lists_the_known_ones():
    with pytest.raises(ValueError, match="Did you mean 'cifar10'") as caught:
        load_dataset("cifar-10")
    assert all(name in str(caught.value) for name in DATASETS)


def test_an_unknown_corruption_lists_the_known_ones():
    with pytest.raises(ValueError, match="shuffled-pixels"):
        load_dataset("digits", corruption="shuffled")


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """Write a module of the user's into the current folder; returns a function of its text."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(text):
        (tmp_path / "own_data_of_a_test.py").write_text("import numpy as np\n" + text)
        sys.modules.pop("own_data_of_a_test", None)
        return "own_data_of_a_test:load"

    yield write
    sys.modules.pop("own_data_of_a_test", None)


def test_own_arrays_are_taken_as_they_are(own_module):
    name = own_module(
        "def load(seed):\n"
        "    return np.full((4, 3), seed + 0.5), np.array([0, 1, 2, 0]), np.ones((2, 3)), np.array([0, 1])\n"
    )
    data = load_dataset(name, seed=2)
    assert data.train_x.eq(2.5).all()
    assert (data.n_classes, data.input_shape) == (3, (3,))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 3", "returned int: return four arrays"),
        ("return np.ones((2, 3)), np.zeros(2, int), np.ones((2, 4)), np.zeros(2, int)", "shapes"),
        ("return np.ones((2, 3)), np.zeros(3, int), np.ones((2, 3)), np.zeros(2, int)", "class number"),
        ("return np.ones((2, 3)), np.zeros(2), np.ones((2, 3)), np.zeros(2, int)", "class number"),
        ("return np.full((2, 3), np.nan), np.zeros(2, int), np.ones((2, 3)), np.zeros(2, int)", "finite"),
        ("return [['a']], [0], [['b']], [0]", "finite"),
    ],
)
def test_own_arrays_that_cannot_be_used_say_why(own_module, body, said):
    name = own_module(f"def load():\n    {body}\n")
    with pytest.raises(ValueError, match=said):
        load_dataset(name)


def test_own_code_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="no module named 'no_such_module'"):
        load_dataset("no_such_module:load")
    with pytest.raises(ValueError, match="math has no 'sinus'"):
        load_dataset("math:sinus")
    with pytest.raises(ValueError, match="pi is float, not callable"):
        load_dataset("math:pi")


def test_own_vectors_cannot_have_their_pixels_shuffled(own_module):
    name = own_module("def load():\n    return np.ones((2, 3)), [0, 1], np.ones((2, 3)), [0, 1]\n")
    with pytest.raises(ValueError, match="need images"):
        load_dataset(name, corruption="shuffled-pixels")


def test_loading_leaves_the_global_random_states_alone():
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 (the very state that must not move)
    expected = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    load_dataset("digits", label_noise=0.5, corruption="gaussian")
    assert torch.equal(torch.random.get_rng_state(), expected[0])
    assert np.array_equal(np.random.get_state()[1], expected[1])  # noqa: NPY002
