"""Equal content has equal digests regardless of its storage, and different content different ones."""

import io
import os

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image import ImageModality, decode_image
from tests.modalities.image._bad_images import encoded
from tests.modalities.image._digests import digest, digests

RGB = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)


def test_a_file_has_the_digest_of_its_bytes(tmp_path):
    content = encoded(RGB)
    path = tmp_path / "a.png"
    path.write_bytes(content)
    copy = tmp_path / "b.jpg"
    copy.write_bytes(content)
    (tmp_path / "link").symlink_to(path)
    cells = [path, str(path), copy, tmp_path / "link", content, bytearray(content)]
    cells += [{"bytes": content, "path": "a.png"}, {"bytes": None, "path": str(path)}]
    assert len(set(digests([*cells, memoryview(content)]))) == 1


def test_a_large_file_has_the_digest_of_its_bytes(tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(content)
    assert digest(tmp_path / "a") == digest(content)


def test_a_pillow_image_has_the_digest_of_its_pixels():
    images = [Image.fromarray(RGB), Image.open(io.BytesIO(encoded(RGB)))]
    assert {digest(image) for image in images} == {digest(RGB)}
    grey = Image.fromarray(RGB[..., 0])
    assert digest(grey) == digest(decode_image(grey))


def test_memory_layout_and_container_do_not_change_the_digest():
    stack = np.stack([RGB, RGB[::-1]])
    expected = digests([RGB, np.ascontiguousarray(RGB[::-1])])
    for X in (stack, list(stack), np.asfortranarray(stack), torch.from_numpy(stack)):
        assert digests(ImageModality().column(X).cells) == expected
    frame = pd.DataFrame(stack.reshape(2, -1))
    column = ImageModality(image_shape=(6, 5, 3)).column(frame)
    assert digests(column.cells) == expected


def test_different_content_has_different_digests():
    cells = [
        *(RGB, RGB[::-1], RGB.reshape(5, 6, 3), RGB.reshape(6, 15), RGB[:, :, :1], RGB[:, :, 0]),
        *(RGB.astype(np.int16), RGB > 9, RGB / 255, (RGB / 255).astype(np.float32)),
        *(RGB.tobytes(), encoded(RGB), b"", np.zeros((0, 3))),
    ]
    assert len(set(digests(cells))) == len(cells)
    changed = RGB.copy()
    changed[5, 4, 2] ^= 1
    assert digest(changed) != digest(RGB)


def test_an_unreadable_cell_gives_its_error_and_other_cells_their_digests(tmp_path):
    cells = [RGB, None, "absent.png", tmp_path, 3, np.array([[None]]), b"x"]
    found = digests(cells)
    assert [isinstance(entry, BadCellError) for entry in found] == [0, 1, 1, 1, 1, 1, 0]
    assert "'absent.png': no such file" in str(found[2])
    assert "is a directory" in str(found[3])
    broken = Image.open(io.BytesIO(encoded(np.zeros((64, 64, 3), np.uint8))[:-30]))
    with pytest.raises(BadCellError, match="cannot be decoded"):
        digest(broken)


def test_invalid_images_are_found_when_decoded_not_when_digested():
    for cell in (b"<html>", np.zeros((3, 8, 9)), np.array([[9.0]])):
        digest(cell)
        with pytest.raises(BadCellError):
            decode_image(cell)
