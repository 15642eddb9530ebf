"""Annotations of COCO as masks."""

import json

import numpy as np
import pytest

from sktransfer import read_coco
from sktransfer.exceptions import ColumnError

pytest.importorskip("pycocotools")
from pycocotools import mask as coco_mask

SQUARE = [[2, 2, 8, 2, 8, 6, 2, 6]]


def written(folder, annotations, **changes):
    content = {
        "images": [{"id": 7, "file_name": "a.png", "height": 10, "width": 12}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            {"id": n, "image_id": 7, "iscrowd": 0, "area": 1, "bbox": [0, 0, 1, 1], **item}
            for n, item in enumerate(annotations, 1)
        ],
        **changes,
    }
    (folder / "coco.json").write_text(json.dumps(content))
    return folder / "coco.json"


def rle(mask, compressed):
    if compressed:
        found = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        return {"size": found["size"], "counts": found["counts"].decode()}
    flat = mask.ravel(order="F").astype(int)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat]))).tolist()
    ends = [0, *edges, len(flat)]
    return {"size": list(mask.shape), "counts": np.diff(ends).tolist()}


def test_polygons_and_run_lengths_are_the_same_mask(tmp_path, capsys):
    whole = np.zeros((10, 12), dtype=bool)
    whole[2:6, 2:8] = True
    forms = [SQUARE, rle(whole, compressed=True), rle(whole, compressed=False)]
    for form in forms:
        item = {"category_id": 2, "segmentation": form}
        table = read_coco(written(tmp_path, [item]), tmp_path)
        np.testing.assert_array_equal(table["mask"][0], 2 * whole)
    assert table["image"].tolist() == [str(tmp_path / "a.png")]
    assert table.attrs["categories"] == {1: "cat", 2: "dog"}
    assert capsys.readouterr().out == ""


def test_the_smaller_object_counts_and_a_crowd_is_ignored(tmp_path):
    small, crowd = np.zeros((2, 10, 12), dtype=bool)
    small[3:5, 3:5], crowd[8:] = True, True
    items = [
        {"category_id": 1, "segmentation": rle(small, compressed=False)},
        {"category_id": 2, "segmentation": SQUARE},
        {"category_id": 1, "segmentation": rle(crowd, compressed=False), "iscrowd": 1},
    ]
    mask = read_coco(written(tmp_path, items), tmp_path)["mask"][0]
    assert (mask[3:5, 3:5] == 1).all()
    assert mask[2, 2] == 2
    assert (mask[8:] == 255).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": []}, "has no images"),
        ({"categories": [{"id": 0, "name": "none"}]}, "the number 0 or 255"),
        ({"images": [{"id": 7}]}, "holds no annotations of COCO"),
    ],
)
def test_other_files_are_refused(tmp_path, changes, message):
    with pytest.raises(ColumnError, match=message):
        read_coco(written(tmp_path, [], **changes), tmp_path)


ITEMS = {
    "other image": ({"image_id": "7"}, "annotation 1 has image_id '7', which is not in the file"),
    "other category": ({"category_id": 9}, "annotation 1 has category_id 9"),
    "background": ({"category_id": 0}, "annotation 1 has category_id 0"),
    "no polygon": ({"segmentation": []}, "Annotation 1 of 'a.png' has no segmentation"),
    "two numbers": ({"segmentation": [[1, 2]]}, "Annotation 1 of 'a.png' has no segmentation"),
    "null": ({"segmentation": None}, "Annotation 1 of 'a.png' has no segmentation"),
    "other size": (
        {"segmentation": {"size": [5, 5], "counts": [0, 25]}},
        r"Annotation 1 of 'a.png' has \(5, 5\) pixels",
    ),
}


@pytest.mark.parametrize("name", ITEMS)
def test_an_annotation_that_fits_nothing_is_named(name, tmp_path):
    changes, message = ITEMS[name]
    item = {"category_id": 1, "segmentation": SQUARE, **changes}
    with pytest.raises(ColumnError, match=message):
        read_coco(written(tmp_path, [item]), tmp_path)


def test_images_without_a_size_or_of_the_same_id_are_refused(tmp_path):
    images = [{"id": 7, "file_name": "a.png"}]
    with pytest.raises(ColumnError, match="png' has no height and width"):
        read_coco(written(tmp_path, [], images=images), tmp_path)
    with pytest.raises(ColumnError, match="several images have the same id"):
        read_coco(written(tmp_path, [], images=2 * images), tmp_path)


def test_the_type_has_room_for_all_categories(tmp_path):
    file = written(
        tmp_path,
        [{"category_id": 70_000, "segmentation": SQUARE}],
        categories=[{"id": 70_000, "name": "cat"}],
    )
    assert read_coco(file, tmp_path)["mask"][0].max() == 70_000


def test_a_file_that_is_no_json_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("[1, 2]")
    with pytest.raises(ColumnError, match="holds no annotations of COCO"):
        read_coco(tmp_path / "a.json", tmp_path)
