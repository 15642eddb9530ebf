"""Fields of a class as estimator parameters."""

import pickle
from inspect import signature
from typing import Any, ClassVar

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone

import sktransfer
from sktransfer._compat import Interval
from sktransfer._parameters import fitted, parameter, with_parameters


@with_parameters
class Base(BaseEstimator):
    backbone: Any = parameter(str, kw_only=False)
    level: float = parameter(float, int, default=1.0)
    names: ClassVar[list[str]] = []
    rows_: int = fitted()

    def fit(self, X, y=None):
        self._validate_params()
        self.rows_ = len(X)
        return self


@with_parameters
class Mixin(Base):
    size: int | None = parameter(int, None, default=None)


@with_parameters
class Other(Base):
    depth: int = parameter(int, default=3)


@with_parameters
class Leaf(Mixin, Other):
    backbone: Any = parameter(default="small", kw_only=False)
    depth: int = parameter(default=4)


def test_parameters_are_those_of_all_bases():
    assert Leaf().get_params() == {"backbone": "small", "level": 1.0, "size": None, "depth": 4}
    assert Leaf("large", size=2).get_params()["backbone"] == "large"
    with pytest.raises(TypeError, match="positional"):
        Leaf("large", 2)
    with pytest.raises(TypeError, match="backbone"):
        Base()


def test_a_field_without_constraints_inherits_them():
    assert Leaf._parameter_constraints == {
        "backbone": [str],
        "level": [float, int],
        "size": [int, None],
        "depth": [int],
    }
    with pytest.raises(ValueError, match="'depth' parameter of Leaf"):
        Leaf(depth="deep").fit([1])


def test_a_fitted_attribute_is_set_by_fit_only():
    assert not hasattr(Leaf(), "rows_")
    with pytest.raises(TypeError, match="rows_"):
        Leaf(rows_=3)
    fit = Leaf().fit([1, 2])
    assert pickle.loads(pickle.dumps(fit)).rows_ == 2
    assert not hasattr(clone(fit), "rows_")


def test_equality_hash_and_repr_are_those_of_an_estimator():
    one, other = Leaf(), Leaf()
    assert one != other
    assert len({one, other}) == 2
    assert repr(Leaf(size=2)) == "Leaf(size=2)"


def test_an_annotation_without_a_default_is_refused():
    with pytest.raises(TypeError, match=r"Bad\.level is annotated"):

        @with_parameters
        class Bad(BaseEstimator):
            level: float = 1.0


def test_a_default_hidden_by_another_base_is_refused():
    @with_parameters
    class Louder(Base):
        level: float = parameter(default=2.0)

    with pytest.raises(TypeError, match="disagree on the default of 'level'"):

        @with_parameters
        class Both(Mixin, Louder):
            pass


NUMBERS = [
    (estimator, parameter_name)
    for estimator in (getattr(sktransfer, name) for name in sktransfer.__all__)
    for parameter_name, constraints in getattr(estimator, "_parameter_constraints", {}).items()
    if any(isinstance(constraint, Interval) for constraint in constraints)
]


def required(estimator):
    """Return a str for each parameter without a default, which only backbones are."""
    found = signature(estimator).parameters.values()
    return {item.name: "a folder" for item in found if item.default is item.empty}


@pytest.mark.parametrize(("estimator", "name"), NUMBERS)
@pytest.mark.parametrize("value", [True, False, np.True_])
def test_a_bool_is_no_number(estimator, name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter of {estimator.__name__} must be"):
        estimator(**required(estimator) | {name: value})._validate_params()
