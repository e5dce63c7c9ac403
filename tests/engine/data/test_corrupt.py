"""Random labels and corrupted inputs, as Zhang et al. 2016 define them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from prunescope.engine.data.corrupt import corrupt_inputs, redraw_labels


@settings(deadline=None)
@given(st.integers(0, 300), st.floats(0, 1), st.integers(2, 20), st.integers(0, 1000))
def test_no_more_labels_change_than_asked(n, fraction, n_classes, seed):
    labels = np.arange(n) % n_classes
    noisy = redraw_labels(labels, fraction, n_classes, seed=seed)
    assert (noisy != labels).sum() <= round(fraction * n)
    assert set(noisy) <= set(range(n_classes))
    assert np.array_equal(labels, np.arange(n) % n_classes)


def test_exactly_the_asked_number_is_drawn_anew():
    # Labels outside the drawn classes show every redraw, even one that hits the true label.
    labels = np.full(1000, 99)
    assert (redraw_labels(labels, 0.371, 10, seed=0) != 99).sum() == 371


def test_random_labels_are_uniform_and_may_be_right_by_luck():
    noisy = redraw_labels(np.zeros(50_000, int), 1.0, 10, seed=0)
    # A count of 50,000 draws at 1/10 has standard deviation 67.
    assert np.abs(np.bincount(noisy) - 5000).max() < 5 * 67


def test_label_noise_repeats_by_its_seed():
    labels = np.arange(100) % 10
    assert np.array_equal(redraw_labels(labels, 0.5, 10, seed=1), redraw_labels(labels, 0.5, 10, seed=1))
    assert not np.array_equal(redraw_labels(labels, 0.5, 10, seed=1), redraw_labels(labels, 0.5, 10, seed=2))


@pytest.fixture
def images():
    """40 images of 3×5×4 in which every value occurs once; the channels of a pixel end alike."""
    pixels = torch.arange(40 * 20, dtype=torch.float32).reshape(40, 1, 5, 4)
    return torch.cat([pixels, pixels + 10_000, pixels + 20_000], dim=1)


def pixel_order(image):
    """Where each pixel came from: the ranks of its values."""
    return image.flatten().argsort().argsort()


def test_shuffled_pixels_move_alike_in_every_image_of_both_sets(images):
    train, val = corrupt_inputs("shuffled-pixels", images[:30], images[30:], seed=0)
    order = pixel_order(train[0, 0])
    assert not torch.equal(order, torch.arange(20))
    assert all(torch.equal(pixel_order(image[0]), order) for image in [*train, *val])


def test_random_pixels_move_differently_in_each_image(images):
    train, val = corrupt_inputs("random-pixels", images[:30], images[30:], seed=0)
    assert len({tuple(pixel_order(image[0]).tolist()) for image in [*train, *val]}) == 40


@pytest.mark.parametrize("kind", ["shuffled-pixels", "random-pixels"])
def test_moved_pixels_keep_their_image_and_their_colours(images, kind):
    moved, _ = corrupt_inputs(kind, images, images, seed=3)
    assert torch.equal(moved.flatten(2).sort(dim=2).values, images.flatten(2).sort(dim=2).values)
    assert torch.equal(moved[:, 1], moved[:, 0] + 10_000)


def test_gaussian_inputs_have_the_moments_of_the_images_and_nothing_else():
    images = torch.rand(2000, 3, 6, 6) * torch.tensor([1.0, 5.0, 9.0])[:, None, None]
    noise, _ = corrupt_inputs("gaussian", images, images[:5], seed=0)
    assert torch.allclose(noise.mean(dim=(0, 2, 3)), images.mean(dim=(0, 2, 3)), rtol=0.05)
    assert torch.allclose(noise.std(dim=(0, 2, 3)), images.std(dim=(0, 2, 3)), rtol=0.05)
    within = torch.corrcoef(torch.stack([noise[:, 0].flatten(), images[:, 0].flatten()]))[0, 1]
    assert within.abs() < 0.02


@pytest.mark.parametrize("kind", ["shuffled-pixels", "random-pixels", "gaussian"])
def test_a_corruption_repeats_by_its_seed_and_spares_the_original(images, kind):
    before = images.clone()
    first, again, other = (corrupt_inputs(kind, images, images, seed=seed)[0] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(images, before)
