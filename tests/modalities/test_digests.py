"""Content digests."""

import io

import numpy as np

from sktransfer.modalities._digests import array_digest, content_digest, file_digest, text_digest


def test_digests_do_not_change_between_versions():
    assert text_digest("a").hex() == "2886af57f7d961a89646cea9c96fdf49"
    assert content_digest(b"a").hex() == "46603b305d6dd1f9a64173b35f88205c"
    assert array_digest(np.zeros((1, 2), np.uint8)).hex() == "2d59f4350fcc68e78c6bc6c1c2e97df1"


def test_a_file_has_the_digest_of_its_content():
    content = bytes(range(256)) * 5_000
    assert file_digest(io.BufferedReader(io.BytesIO(content))) == content_digest(content)
