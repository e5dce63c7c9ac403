import numpy as np
import pytest
from prunescope.engine.pruning import PruningError, wilson_interval
from scipy.stats import norm


def test_eight_of_ten_by_hand():
    low, high = wilson_interval(8, 10)
    # Agresti & Coull's formula worked out: (0.8 + 0.19207) / 1.38415 ± 0.24171…
    assert low == pytest.approx(0.4902, abs=1e-4)
    assert high == pytest.approx(0.9433, abs=1e-4)


def test_bounds_solve_the_score_equation():
    z = norm.ppf(0.975)
    for bound in wilson_interval(37, 120):
        assert abs(37 / 120 - bound) == pytest.approx(z * np.sqrt(bound * (1 - bound) / 120))


def test_none_and_all_correct_keep_some_doubt_and_stay_in_range():
    low, high = wilson_interval([0, 50], 50)
    assert low[0] == 0
    assert 0 < high[0] < 0.1
    assert high[1] == 1
    assert 0.9 < low[1] < 1


@pytest.mark.parametrize(("correct", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_impossible_counts_are_refused(correct, n):
    with pytest.raises(PruningError, match="0 ≤ correct ≤ n"):
        wilson_interval(correct, n)
