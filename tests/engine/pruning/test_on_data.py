"""Criteria on examples, many layers in one pass: the same as one layer at a time, and an estimate after every piece."""

import numpy as np
import pytest
import torch
from prunescope.engine.pruning import PruningError, rank_units, trace
from prunescope.engine.pruning.on_data import measured_together, stream_quantities

BASES = ("taylor", "ablation", "activation-mean", "activation-std", "activation-zeros")


@pytest.mark.parametrize("base", BASES)
def test_layers_measured_together_are_as_measured_alone(convnet, images, base):
    network = trace(convnet)
    *_, together = stream_quantities(network, base, ["0", "3"], *images)
    assert together.complete
    for layer in ("0", "3"):
        *_, alone = stream_quantities(network, base, [layer], *images)
        np.testing.assert_array_equal(together.quantities[base, layer], alone.quantities[base, layer])
        # An order takes what is known, and needs no examples then.
        known = rank_units(network, layer, base, known=together.quantities)
        assert known.tolist() == rank_units(network, layer, base, *images).tolist()


@pytest.mark.parametrize("base", ["taylor", "activation-l2", "activation-zeros"])
def test_an_estimate_is_exact_for_the_examples_seen_so_far(convnet, base):
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(150, 1, 8, 8, generator=generator)
    targets = torch.randint(0, 4, (150,), generator=generator)
    network = trace(convnet)
    estimates = list(stream_quantities(network, base, ["3"], inputs, targets))
    assert [one.complete for one in estimates] == [False] * (len(estimates) - 1) + [True]
    seen = 4
    *_, few = stream_quantities(network, base, ["3"], inputs[:seen], targets[:seen])
    np.testing.assert_allclose(estimates[0].quantities[base, "3"], few.quantities[base, "3"], rtol=1e-9)


@pytest.mark.parametrize("base", ["taylor", "activation-l2"])
def test_an_expensive_network_is_measured_on_fewer_examples_at_a_time(convnet, images, base, monkeypatch):
    network = trace(convnet)
    *_, cheap = pieces = list(stream_quantities(network, base, ["0", "3"], *images))
    monkeypatch.setattr("prunescope.engine.pruning.on_data._WORK", 1)
    *_, dear = one_by_one = list(stream_quantities(network, base, ["0", "3"], *images))
    assert len(pieces) < len(one_by_one) == len(images[0])
    for key, values in cheap.quantities.items():
        np.testing.assert_allclose(dear.quantities[key], values, rtol=1e-5, atol=1e-9)


def test_weights_are_as_before_and_want_no_gradient_between_two_pieces(convnet, images):
    network = trace(convnet)
    before = {name: tensor.clone() for name, tensor in network.module.state_dict().items()}
    for _ in stream_quantities(network, "taylor", ["0", "3"], *images):
        assert not any(parameter.requires_grad for parameter in network.module.parameters())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.module.state_dict().items())


def test_inputs_that_do_not_fit_are_named(convnet, images):
    with pytest.raises(PruningError, match=r"inputs of shape \(5, 3, 8, 8\)"):
        stream_quantities(trace(convnet), "taylor", ["0"], torch.zeros(5, 3, 8, 8), torch.zeros(5, dtype=torch.long))


def test_what_needs_no_examples_is_not_measured_on_any():
    assert measured_together("l2") is measured_together("bn-scale") is None
    assert measured_together("activation-mean") == measured_together("activation-zeros")
