"""Random labels and corrupted inputs: what a network can fit though there is nothing to learn.

References
----------
Zhang, Bengio, Hardt, Recht & Vinyals 2016, "Understanding deep learning requires rethinking
generalization", section 2.1.
"""

import numpy as np
import torch

# A stream each, so that adding label noise does not change which pixels move.
_LABELS, _INPUTS = 1, 2


def redraw_labels(labels: np.ndarray, fraction: float, n_classes: int, *, seed: int) -> np.ndarray:
    """Draw exactly round(fraction · n) labels anew, uniformly over all classes.

    As in the paper the true label may be drawn again: at fraction 1 labels and images are independent,
    and about n/n_classes labels are still right by luck.

    Parameters
    ----------
    labels : (n,)

    Returns
    -------
    (n,)  a copy
    """
    rng = np.random.default_rng((seed, _LABELS))
    changed = rng.permutation(len(labels))[: round(fraction * len(labels))]
    noisy = labels.copy()
    noisy[changed] = rng.integers(n_classes, size=len(changed))
    return noisy


def corrupt_inputs(
    kind: str, train_x: torch.Tensor, val_x: torch.Tensor, *, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Corrupt the images of both sets; the channels of a pixel move together.

    Parameters
    ----------
    kind : "shuffled-pixels", "random-pixels" or "gaussian", as in `CORRUPTIONS`
    train_x, val_x : (n, channels, height, width)

    Returns
    -------
    Two new tensors of the same shapes.
    """
    rng = np.random.default_rng((seed, _INPUTS))
    if kind == "gaussian":
        mean = train_x.mean(dim=(0, 2, 3), keepdim=True)
        deviation = train_x.std(dim=(0, 2, 3), keepdim=True)

        def noise(x: torch.Tensor) -> torch.Tensor:
            drawn = rng.standard_normal(tuple(x.shape), dtype=np.float32)
            return torch.from_numpy(drawn) * deviation + mean

        return noise(train_x), noise(val_x)
    n_pixels = train_x[0, 0].numel()
    shared = rng.permutation(n_pixels)

    def shuffled(x: torch.Tensor) -> torch.Tensor:
        if kind == "shuffled-pixels":
            return x.flatten(2)[:, :, torch.from_numpy(shared)].reshape(x.shape)
        orders = rng.permuted(np.broadcast_to(np.arange(n_pixels), (len(x), n_pixels)), axis=1)
        index = torch.from_numpy(orders)[:, None].expand(-1, x.shape[1], -1)
        return x.flatten(2).gather(2, index).reshape(x.shape)

    return shuffled(train_x), shuffled(val_x)
