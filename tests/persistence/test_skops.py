"""Only the form that skops writes is read."""

import warnings

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import ImageEmbedder, load, save
from sktransfer.exceptions import PersistenceError
from tests.faults.artefact_files import node, zipped
from tests.persistence._forging import COLUMN, forge, members_of, value, write


@pytest.mark.parametrize("protocol", [0, 1, 99, -1, True, None, "2"])
def test_only_the_written_protocol_is_read(protocol, pipeline):
    forge(pipeline, lambda root: root.update(protocol=protocol))
    with pytest.raises(PersistenceError):
        load(pipeline)


@pytest.fixture
def model(vit):
    return make_pipeline(ImageEmbedder(str(vit)), LogisticRegression()).fit(COLUMN, [0, 1] * 3)


def test_scikit_learn_does_not_warn_additionally(model, path):
    def change(root):
        steps = root["content"]["content"]["steps"]["content"]
        for estimator in (root, *(step["content"][1] for step in steps)):
            state = estimator["content"]["content"]
            if "_sklearn_version" in state:
                state["_sklearn_version"]["content"] = '"1.2.0"'

    save(model, path)
    forge(path, change)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(path)


def test_a_rewritten_pipeline_still_loads(pipeline):
    forge(pipeline, lambda root: None)
    assert load(pipeline).predict(COLUMN).shape == (6,)


def test_a_rewritten_fine_tuner_still_loads(classifier):
    forge(classifier, lambda root: None)
    assert load(classifier).predict(COLUMN).shape == (6,)


@pytest.mark.parametrize("depth", [150, 3_000, 200_000])
def test_infinite_nesting_is_refused(depth, pipeline):
    members = members_of(pipeline)
    before = '{"__class__":"list","__module__":"builtins","__loader__":"ListNode","content":['
    schema = before * depth + "]}" * depth
    members["estimator.skops"] = zipped({"schema.json": f'{schema[:-1]},"protocol":2}}'.encode()})
    write(pipeline, members)
    with pytest.raises(PersistenceError):
        load(pipeline)


def test_an_id_cannot_refer_from_a_checked_node_to_another(pipeline):
    # skops would call the function on keys, as the same id occurred before.
    def change(root):
        content = root["content"]["content"]
        function = node("FunctionNode", "numpy.log1p")
        content["memory"] = {**node("ListNode", "builtins.list", content=[function]), "__id__": 7}
        keys = node("ListNode", "builtins.list", content=[node("TypeNode", "builtins.float")])
        content["verbose"] = {**value({"1": 1}), "key_types": {**keys, "__id__": 7}}

    forge(pipeline, change)
    with pytest.raises(PersistenceError, match="its keys"):
        load(pipeline)
