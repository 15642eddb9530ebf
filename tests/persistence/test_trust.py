"""Nothing that a file names is executed, and unknown types are refused and listed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import EarlyStopping

from sktransfer import ImageClassifier, load, save
from sktransfer.exceptions import (
    PersistenceError,
    UntrustedError,
    UntrustedWarning,
)
from sktransfer.persistence import _trust
from tests._estimators import CASES
from tests.faults.artefact_files import node
from tests.persistence._forging import attacks, forge, value, with_step


@pytest.mark.parametrize("kind", attacks(""))
def test_a_node_that_would_execute_something_is_refused(kind, pipeline, canary):
    attack = attacks(f"touch {canary}")[kind]
    forge(pipeline, with_step(attack))
    with pytest.raises(PersistenceError):
        load(pipeline)
    forge(pipeline, lambda root: attack)
    with pytest.raises(PersistenceError):
        load(pipeline)


def test_all_unknown_types_are_listed_together_with_their_positions(pipeline, canary):
    strangers = [node("FunctionNode", "os.system"), node("ObjectNode", "shutil.Rm", content=None)]
    forge(pipeline, with_step(node("ListNode", "builtins.list", content=strangers)))
    with pytest.raises(UntrustedError) as caught:
        load(pipeline)
    assert caught.value.types == ("os.system", "shutil.Rm")
    assert "os.system (at .steps[0][1][0])" in str(caught.value)
    assert "shutil.Rm (at .steps[0][1][1])" in str(caught.value)


def doubled(values):
    CALLS.append(values)


float64 = doubled


CALLS = []


@pytest.mark.parametrize(
    "attack",
    [
        node("ConstructorFromReduceNode", f"{__name__}.doubled", content=value((1,))),
        {**value({"a": 1}), "__module__": __name__, "__class__": "doubled"},
        node("ListNode", f"{__name__}.doubled", content=[value(1)]),
        node("NdArrayNode", f"{__name__}.float64", type="numpy", file="0.npy"),
        node(
            "LossNode",
            f"{__name__}.doubled",
            content=value({}),
            __reduce__={"args": value((1,))},
        ),
        {
            **value({"a": 1}),
            "key_types": node(
                "ListNode", "builtins.list", content=[node("FunctionNode", f"{__name__}.doubled")]
            ),
        },
    ],
    ids=["constructor", "dict", "list", "array", "loss", "keys"],
)
def test_a_trusted_function_is_not_called_by_the_file(attack, path):
    with pytest.warns(UntrustedWarning):
        save(make_pipeline(FunctionTransformer(doubled, kw_args={"more": np.zeros(1)})), path)
    forge(path, with_step(attack))
    with pytest.raises(PersistenceError):
        load(path, trusted=[doubled, f"{__name__}.float64"])
    assert not CALLS


class Scale:
    """A class outside of all libraries."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, values):
        return values * self.factor


def test_trusted_callbacks_of_skorch_are_saved_and_loaded(vit, path):
    callback = EarlyStopping(monitor="train_loss", patience=3)
    with pytest.warns(UntrustedWarning, match=r"trusted=\[.*EarlyStopping"):
        save(ImageClassifier(str(vit), callbacks=[callback]), path)
    with pytest.raises(UntrustedError) as caught:
        load(path)
    assert "skorch.callbacks.training.EarlyStopping" in caught.value.types
    loaded = load(path, trusted=caught.value.types)
    assert loaded.callbacks[0].patience == 3


def test_a_function_is_named_and_loaded_if_trusted(path):
    model = FunctionTransformer(doubled)
    with pytest.warns(UntrustedWarning, match=r"doubled \(at \.func\)"):
        save(model, path)
    with pytest.raises(UntrustedError, match=r"doubled \(at \.func\)") as caught:
        load(path)
    assert caught.value.types == (f"{__name__}.doubled",)
    for trusted in (caught.value.types, [doubled], doubled, f"{__name__}.doubled"):
        assert load(path, trusted=trusted).func is doubled


def test_a_users_class_is_named_and_loaded_if_trusted(path):
    with pytest.warns(UntrustedWarning, match="Scale"):
        save(ImageClassifier(augment=Scale(2)), path)
    with pytest.raises(UntrustedError, match=r"Scale \(at \.augment\)"):
        load(path)
    assert load(path, trusted=[Scale]).augment.factor == 2


def test_trusted_values_other_than_a_name_or_a_type_are_refused(path):
    save(LogisticRegression(), path)
    with pytest.raises(PersistenceError, match="trusted=3"):
        load(path, trusted=[3])


def test_all_public_estimators_and_nothing_else_of_the_package_are_trusted():
    ours = {name for name in _trust.known() if name.startswith("sktransfer")}
    assert ours == {
        f"sktransfer.{name}"
        for name in (
            *CASES,
            "ContentRecommender",
            "ImageSegmenter",
            "MixedClassifier",
            "MixedRegressor",
            "ObjectDetector",
            "SimilaritySearch",
            "SpeechTranscriber",
            "TableEmbedder",
            "TextGenerator",
            "TextTagger",
            "ZeroShotClassifier",
        )
    }


def test_column_selectors_are_loaded(path):
    table = pd.DataFrame({"a": [0.5, 1.5], "b": ["x", "y"], "c": [1, 2]})
    select = [
        make_column_selector(dtype_include=np.number),
        make_column_selector(dtype_include=[object, "string"], dtype_exclude=["category", bool]),
        make_column_selector(pattern="^c"),
    ]
    model = make_column_transformer(*(("passthrough", s) for s in select)).fit(table)
    save(model, path)
    np.testing.assert_array_equal(load(path).transform(table), model.transform(table))


def test_generators_of_numpy_are_loaded(path):
    generator = np.random.default_rng(3)
    save([generator], path)
    assert load(path)[0].normal() == generator.normal()
