"""All nodes of a tree are checked, and an id identifies one object."""

import pytest

from sktransfer import load
from sktransfer.exceptions import PersistenceError, UntrustedError
from tests.faults.artefact_files import node, unzipped, zipped
from tests.persistence._forging import forge, members_of, value, write


def test_an_id_identifies_one_object(pipeline):
    def change(root):
        content = root["content"]["content"]
        content["memory"]["__id__"] = content["verbose"]["__id__"] = 5

    forge(pipeline, change)
    with pytest.raises(PersistenceError, match="two objects have the id"):
        load(pipeline)


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
    with pytest.raises(PersistenceError, match="two objects have the id 7"):
        load(pipeline)


def test_a_node_hidden_in_another_is_checked(pipeline):
    def change(root):
        root["content"]["content"]["verbose"]["shape"] = [{"a": node("FunctionNode", "os.system")}]

    forge(pipeline, change)
    with pytest.raises(UntrustedError, match=r"os.system \(at .verbose.shape\[0\].a\)"):
        load(pipeline)


def test_arrays_not_referenced_by_a_node_are_refused(pipeline):
    members = members_of(pipeline)
    inner = unzipped(members["estimator.skops"])
    write(pipeline, {**members, "estimator.skops": zipped({**inner, "99.npy": b"x"})})
    with pytest.raises(PersistenceError, match="not those that it names"):
        load(pipeline)
