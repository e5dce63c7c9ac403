import subprocess
import sys

import pytest
from prunescope.engine.pruning import CRITERIA, PruningError, criterion_named


def test_names_say_what_is_removed_first():
    assert CRITERIA["l2"].description.startswith("smallest L2 norm")
    assert CRITERIA["l2:largest"].description.startswith("largest L2 norm")
    assert CRITERIA["activation-zeros"].description.startswith("largest share of zero")
    assert CRITERIA["frame-potential:largest"].description.endswith("(those most like the others)")


def test_every_criterion_but_random_has_both_directions():
    by_base: dict[str, set[str]] = {}
    for criterion in CRITERIA.values():
        by_base.setdefault(criterion.base, set()).add(criterion.first)
    assert by_base.pop("random") == {"smallest"}
    assert all(directions == {"smallest", "largest"} for directions in by_base.values())
    assert len(by_base) == 19


def test_keys_are_the_names():
    assert all(name == criterion.name for name, criterion in CRITERIA.items())


def test_the_bare_direction_may_be_spelled_out():
    assert criterion_named("l2:smallest") is CRITERIA["l2"]
    assert criterion_named("activation-zeros:largest") is CRITERIA["activation-zeros"]


@pytest.mark.parametrize("name", ["l3", "l2:biggest", "random:largest", "", "bn_scale"])
def test_an_unknown_name_lists_the_known_ones(name):
    with pytest.raises(PruningError, match=r"unknown criterion .*Known: l2, .*random"):
        criterion_named(name)


def test_a_slip_is_guessed():
    with pytest.raises(PruningError, match="Did you mean 'bn-scale'"):
        criterion_named("bn_scale")


def test_names_arrays_and_intervals_need_no_torch():
    code = (
        "import sys, prunescope.engine.pruning as p; p.CRITERIA; p.wilson_interval(1, 2); "
        "p.rank_weights([[1.0, 2.0], [0.5, 0.5]], 'one-per-cluster'); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
