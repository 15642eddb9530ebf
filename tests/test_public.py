"""Public classes have public names, wherever they are defined."""

import copy
import inspect
import pickle
import pickletools
import subprocess
import sys
from importlib import import_module

import cloudpickle
import numpy as np
import pytest
from dask.base import tokenize
from sklearn.base import clone

import sktransfer
from sktransfer._public import HOMES
from sktransfer.training.targets import (
    ClassTarget,
    LabelTarget,
    ValueTarget,
    target_from_dict,
)
from tests._estimators import CASES

CLASSES = [name for name in HOMES if isinstance(getattr(sktransfer, name), type)]


@pytest.mark.parametrize("name", CASES)
def test_no_pickle_names_a_private_module(name):
    case = CASES[name]
    fitted = case.make().fit(case.column(4), case.target(4))
    for written in (pickle.dumps(fitted), cloudpickle.dumps(fitted)):
        strings = {arg for _, arg, _ in pickletools.genops(written) if isinstance(arg, str)}
        modules = {text for text in strings if text.split(".")[0] == "sktransfer"}
        assert modules == {"sktransfer"}
        assert name in strings
        assert type(pickle.loads(written)) is type(fitted)


@pytest.mark.parametrize("name", CLASSES)
def test_a_public_class_has_its_public_name(name):
    kind = getattr(sktransfer, name)
    assert repr(kind) == f"<class 'sktransfer.{name}'>"
    assert kind._module_source.startswith(f"{HOMES[name]}._")
    assert getattr(import_module(HOMES[name]), name) is kind
    for dumps in (pickle.dumps, cloudpickle.dumps):
        assert pickle.loads(dumps(kind)) is kind


@pytest.mark.parametrize("name", CLASSES)
def test_the_source_of_a_class_is_not_found_and_that_of_its_methods_is(name):
    kind = getattr(sktransfer, name)
    with pytest.raises(OSError, match=r"source|class"):
        inspect.getsource(kind)
    method = next(name for name in ("fit", "plot", "__repr__") if hasattr(kind, name))
    assert f"def {method}(" in inspect.getsource(getattr(kind, method))


def test_a_class_is_found_in_a_fresh_process():
    written = pickle.dumps(CASES["TextClassifier"].make())
    code = f"import pickle; print(type(pickle.loads({written!r})))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "<class 'sktransfer.TextClassifier'>"


def test_the_fitted_target_is_plain_data_in_the_state():
    case = CASES["TextClassifier"]
    fitted = case.make().fit(case.column(4), case.target(4))
    assert fitted.__getstate__()["_target"].keys() == {"kind", "classes"}
    assert fitted.__getstate__()["_target"]["kind"] == "classes"
    assert type(copy.deepcopy(fitted)._target) is type(fitted._target)
    assert tokenize(fitted) == tokenize(pickle.loads(pickle.dumps(fitted)))
    assert clone(fitted).get_params() == fitted.get_params()


@pytest.mark.parametrize(
    ("target", "kind"),
    [
        (ClassTarget.learn(["a", "b"], "y"), "classes"),
        (LabelTarget.learn(np.eye(3)), "labels"),
        (ValueTarget.learn([1.0, 3.0], np.ones(2)), "values"),
    ],
)
def test_a_target_is_restored_from_plain_data(target, kind):
    data = target.to_dict()
    assert data["kind"] == kind
    again = target_from_dict(data)
    assert type(again) is type(target)
    assert all(np.array_equal(vars(again)[name], value) for name, value in vars(target).items())
    with pytest.raises(KeyError):
        target_from_dict({**data, "kind": "another"})


def test_the_doctests_of_all_public_classes_are_collected():
    # pytest collects the members of a module, which it cannot identify by __module__ here.
    places = {name: getattr(sktransfer, name)._module_source for name in CLASSES}
    files = [f"{module.replace('.', '/')}.py" for module in places.values()]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--collect-only",
        "-q",
        *files,
        "sktransfer/__init__.py",
    ]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    for name, module in places.items():
        assert done.stdout.count(f"::{module}.{name}\n") == 1
        assert f"::sktransfer.{name}\n" not in done.stdout
