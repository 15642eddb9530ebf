"""Equal texts have equal digests."""

import numpy as np

from sktransfer.modalities._digests import content_digest, text_digest
from sktransfer.modalities.text import TextModality
from tests.modalities._memos import NoMemo


def test_equal_texts_have_equal_digests():
    texts = ["a", "b", "", "a ", "A", "é", "e\u0301", "a\0", "日本"]
    digests = [text_digest(text) for text in texts]
    assert len(set(digests)) == len(texts)
    assert all(len(digest) == 16 for digest in digests)
    assert digests[0] != content_digest(b"a")


def test_a_column_of_texts_is_digested_and_missing_ones_are_not():
    expected = [text_digest("a"), text_digest("b")]
    empty = TextModality(missing="empty")
    assert empty.digest(np.array(["a", "b"]), NoMemo()) == (["a", "b"], expected)
    assert empty.digest(["a", ""], NoMemo())[1] == [expected[0], text_digest("")]
    cells, digests = TextModality(missing="nan").digest(["a", None, "b"], NoMemo())
    assert (cells, digests) == (["a", None, "b"], [expected[0], None, expected[1]])
