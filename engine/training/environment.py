"""What a run needs of the process around it: seeds, threads, deterministic kernels."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


def derived_seed(seed: int, purpose: int) -> int:
    """A seed for one purpose; one seed used twice would give two streams the same numbers."""
    return int(np.random.SeedSequence([seed, purpose]).generate_state(1, np.uint32)[0])


def pick_device(name: str) -> torch.device:
    """The device for a name; "auto" is the first GPU, or the CPU where there is none."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def seed_everything(seed: int) -> None:
    """Seed the global generators, which dropout and a user's own model draw from."""
    torch.manual_seed(derived_seed(seed, 0))
    np.random.seed(derived_seed(seed, 1))  # noqa: NPY002 - the global state is what foreign code uses
    random.seed(derived_seed(seed, 2))


@contextmanager
def settled(*, threads: int) -> Iterator[None]:
    """Deterministic kernels and a fixed number of threads; all is put back at the end.

    A training inside somebody's notebook must not leave its random state, its threads
    or its flags behind.
    """
    # torch's stubs do not know this switch.
    deterministic: Any = torch.utils.deterministic
    torch_state = torch.get_rng_state()
    numpy_state = np.random.get_state()  # noqa: NPY002
    python_state = random.getstate()
    old_threads = torch.get_num_threads()
    debug_mode = torch.get_deterministic_debug_mode()
    filling = deterministic.fill_uninitialized_memory
    benchmark = torch.backends.cudnn.benchmark
    # CUDA's matrix products are deterministic only with a fixed workspace.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    try:
        torch.set_num_threads(threads)
        # A kernel without a deterministic form warns: better a run that says so than none. The plainer
        # torch.use_deterministic_algorithms would import the whole compiler, 1.5 s of every start.
        torch.set_deterministic_debug_mode("warn")
        # Writing nan into every fresh tensor finds faults in kernels, and costs time in each step.
        deterministic.fill_uninitialized_memory = False
        torch.backends.cudnn.benchmark = False
        yield
    finally:
        torch.backends.cudnn.benchmark = benchmark
        deterministic.fill_uninitialized_memory = filling
        torch.set_deterministic_debug_mode(debug_mode)
        torch.set_num_threads(old_threads)
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        torch.set_rng_state(torch_state)
