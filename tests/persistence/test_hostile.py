"""Whatever the tree of a file says, nothing of it is executed, and nothing comes back half."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from benchmarks._artefact_files import node, zipped
from sktransfer import load, save
from sktransfer.exceptions import (
    PersistenceError,
    SktransferError,
    UntrustedError,
    UntrustedWarning,
)
from tests.persistence._forging import (
    COLUMN,
    attacks,
    forge,
    members_of,
    value,
    with_step,
    write,
)


@pytest.mark.parametrize("kind", attacks(""))
def test_a_node_that_would_run_something_is_refused(kind, pipeline, canary):
    attack = attacks(f"touch {canary}")[kind]
    forge(pipeline, with_step(attack))
    with pytest.raises(PersistenceError):
        load(pipeline)
    forge(pipeline, lambda root: attack)
    with pytest.raises(PersistenceError):
        load(pipeline)


def test_all_unknown_types_are_listed_at_once_with_their_places(pipeline, canary):
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


@pytest.mark.parametrize("protocol", [0, 1, 99, -1, True, None, "2"])
def test_only_the_protocol_that_is_written_is_read(protocol, pipeline):
    forge(pipeline, lambda root: root.update(protocol=protocol))
    with pytest.raises(PersistenceError):
        load(pipeline)


def test_one_number_stands_for_one_object(pipeline):
    def change(root):
        content = root["content"]["content"]
        content["memory"]["__id__"] = content["verbose"]["__id__"] = 5

    forge(pipeline, change)
    with pytest.raises(PersistenceError, match="two objects have the id"):
        load(pipeline)


@pytest.mark.parametrize("depth", [150, 3_000, 200_000])
def test_a_nest_without_end_is_refused(depth, pipeline):
    members = members_of(pipeline)
    before = '{"__class__":"list","__module__":"builtins","__loader__":"ListNode","content":['
    schema = before * depth + "]}" * depth
    members["estimator.skops"] = zipped({"schema.json": f'{schema[:-1]},"protocol":2}}'.encode()})
    write(pipeline, members)
    with pytest.raises(PersistenceError):
        load(pipeline)


def test_an_estimator_without_its_attributes_is_refused(classifier):
    forge(classifier, lambda root: root.update(content=None))
    with pytest.raises(PersistenceError, match="lacks its attributes"):
        load(classifier)


def test_a_fine_tuner_without_what_it_learned_is_refused(classifier):
    def change(root):
        state = root["content"]
        del state["content"]["_trained"]
        state["key_types"]["content"].pop()

    forge(classifier, change)
    with pytest.raises(PersistenceError, match="lists of weights"):
        load(classifier)


@pytest.mark.parametrize("name", ["backbone", "lr", "_task", "classes_", "fingerprint_"])
def test_an_estimator_that_lacks_one_of_its_attributes_is_refused(name, classifier):
    def change(root):
        state = root["content"]
        del state["content"][name]
        state["key_types"]["content"].pop()

    forge(classifier, change)
    if name == "classes_":  # it is not needed to be whole; scikit-learn says that it is missing
        assert load(classifier)
        return
    with pytest.raises(SktransferError):
        load(classifier)


def test_a_pipeline_that_was_written_anew_still_loads(pipeline):
    forge(pipeline, lambda root: None)
    assert load(pipeline).predict(COLUMN).shape == (6,)


def test_a_fine_tuner_that_was_written_anew_still_loads(classifier):
    forge(classifier, lambda root: None)
    assert load(classifier).predict(COLUMN).shape == (6,)
