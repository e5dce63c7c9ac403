"""Acceptance check 15: alignment as a race (Pinson 2026)."""

import pytest
from prunescope.engine.geometry import alignment_race, direction_clusters


def trained(inputs, labels, init_scale, seed=0, steps=200):
    """300 neurons without bias, full-batch gradient descent; default init times `init_scale`."""
    import torch

    torch.manual_seed(seed)
    incoming = (torch.randn(300, 64) * init_scale / 192**0.5).requires_grad_()
    outgoing = (torch.randn(300, 10) * init_scale / 900**0.5).requires_grad_()
    optimizer = torch.optim.SGD([incoming, outgoing], lr=0.1)
    early = None
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        output = torch.relu(inputs @ incoming.T) @ outgoing
        torch.nn.functional.cross_entropy(output, labels).backward()
        optimizer.step()
        if step == 20:
            early = incoming.detach().numpy().copy()
    return early, incoming.detach().numpy(), outgoing.detach().numpy()


@pytest.mark.parametrize("seed", [0, 1])
def test_from_a_tiny_init_few_directions_remain_and_the_early_aligned_win(digits, seed):
    """Measured in this setting, three seeds: 65, 80, 69 clusters of 300; Spearman .79, .79, .77.

    Science gives 31–38 clusters for a setting it does not spell out; how many are left depends on
    input scaling, loss and the moment (they split again once the loss is low).
    """
    early, final, outgoing = trained(*digits(seed, standardised=True), init_scale=1e-3, seed=seed)
    assert direction_clusters(final).max() + 1 <= 100
    assert alignment_race(early, final, outgoing).spearman >= 0.5


def test_from_a_large_init_every_neuron_keeps_its_own_direction(digits):
    early, final, outgoing = trained(*digits(0, standardised=True), init_scale=1.0)
    assert direction_clusters(final).max() + 1 >= 290
    assert alignment_race(early, final, outgoing).spearman < 0
