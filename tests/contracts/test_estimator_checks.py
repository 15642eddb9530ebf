"""scikit-learn's own checks, with a lower bound on the number of those that passed.

The checks on numbers run once per numeric variant, that is once per base class: see
`tests/_estimators.py`.
"""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator

from tests._estimators import CASES, NUMERIC_VARIANTS

# Checks that need no data, and so apply to an estimator of strings or images.
WITHOUT_DATA = [
    "check_estimator_cloneable",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_mixin_order",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_param_validation",
]


@pytest.mark.parametrize("check", WITHOUT_DATA)
@pytest.mark.parametrize("name", CASES)
def test_checks_that_need_no_data(name, check):
    getattr(estimator_checks, check)(name, CASES[name].make())


@pytest.mark.parametrize("name", CASES)
def test_the_numeric_variant_shares_the_base_class(name):
    # The last base defines the estimator; those before it add the modality.
    own_base = type(CASES[name].make()).__bases__[-1]
    assert own_base.__module__.startswith("sktransfer.")
    assert isinstance(CASES[name].numeric.make(), own_base)


@pytest.mark.parametrize("name", NUMERIC_VARIANTS)
def test_a_numeric_variant_passes_all_checks(name):
    variant = NUMERIC_VARIANTS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SkipTestWarning)
        results = check_estimator(
            variant.make(),
            expected_failed_checks=variant.expected_failures,
            on_fail=None,
            on_skip=None,
        )
    by_status: dict[str, list[str]] = {}
    for result in results:
        by_status.setdefault(result["status"], []).append(result["check_name"])
    failed = {r["check_name"]: r["exception"] for r in results if r["status"] == "failed"}
    assert not {name: failed[name] for name in failed if name not in variant.may_fail}
    assert sorted(by_status.get("xfail", [])) == sorted(variant.expected_failures)
    assert len(by_status["passed"]) >= variant.least_checks, by_status


@pytest.mark.parametrize("name", CASES)
def test_fit_is_idempotent_on_a_column(name, cache_folder):
    case = CASES[name]
    column = case.column(5)
    estimator = clone(case.make()).set_params(cache=False)
    target = case.target(5)
    first = estimator.fit(column, target).transform(column)
    np.testing.assert_array_equal(estimator.fit(column, target).transform(column), first)


@pytest.mark.parametrize("name", CASES)
def test_order_and_subset_do_not_change_a_row(name, cache_folder):
    case = CASES[name]
    column = list(case.column(9))
    estimator = case.make().set_params(cache=False).fit(column, case.target(9))
    rows = estimator.transform(column)
    order = np.random.default_rng(0).permutation(len(column))
    shuffled = estimator.transform([column[i] for i in order])
    np.testing.assert_allclose(shuffled, rows[order], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(estimator.transform(column[2:5]), rows[2:5], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_one_row_is_a_column(name, cache_folder):
    case = CASES[name]
    estimator = case.make().fit(case.column(2), case.target(2))
    assert estimator.transform(case.column(1)).shape[0] == 1


@pytest.mark.parametrize("name", CASES)
def test_an_empty_column_is_refused_with_scikit_learns_message(name):
    with pytest.raises(ValueError, match=r"0 sample\(s\).*minimum of 1 is required"):
        CASES[name].make().fit([], CASES[name].target(0))


@pytest.mark.parametrize("name", CASES)
def test_fit_returns_self_and_sets_fitted_attributes(name):
    case = CASES[name]
    estimator = case.make()
    assert estimator.fit(case.column(2), case.target(2)) is estimator
    assert estimator.n_features_in_ == 1
    assert not hasattr(estimator, "feature_names_in_")
