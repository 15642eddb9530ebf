"""Images and masks of a file of COCO annotations, as a table."""

from __future__ import annotations

import os
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sktransfer._paths import expanded
from sktransfer._warnings import warnings_ignored
from sktransfer.exceptions import ColumnError

if TYPE_CHECKING:
    import pandas as pd

# Of crowds COCO says where they are, but not where each one is.
_CROWD = 255


def read_coco(annotations: str | os.PathLike[str], folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Read images and masks from a file of COCO annotations.

    The mask of an image has the category of each pixel, and 0 where there is none. Where objects
    overlap, the smaller one counts. Crowds, which COCO leaves out of its scores, have the value
    255, which `ImageSegmenter` ignores by default.

    Parameters
    ----------
    annotations : str or path-like
        JSON file, with polygons or run-length encoding.
    folder : str or path-like
        Folder that the names of the image files are relative to.

    Returns
    -------
    pandas.DataFrame
        One row per image, with the columns "image" (path) and "mask" (array of shape (H, W)).
        ``table.attrs["categories"]`` is a dict of the names by number.

    Raises
    ------
    ColumnError
        If the file holds no such annotations, or one of them does not fit its image.
    ImportError
        If pycocotools or pandas is not installed.

    Examples
    --------
    >>> from sktransfer import ImageSegmenter, read_coco
    >>> table = read_coco("instances.json", "photos")  # doctest: +SKIP
    >>> segmenter = ImageSegmenter().fit(table["image"], table["mask"])  # doctest: +SKIP
    """
    try:
        import pandas as pd
        from pycocotools.coco import COCO
    except ImportError as error:
        raise ImportError(
            'read_coco needs pandas and pycocotools: pip install "sktransfer[coco]".'
        ) from error

    path = expanded(annotations)
    try:
        with redirect_stdout(StringIO()):  # it tells how long it took
            coco = COCO(str(path))
        categories = {int(c["id"]): str(c["name"]) for c in coco.dataset["categories"]}
        images = [(str(i["file_name"]), i) for i in coco.dataset["images"]]
    except FileNotFoundError:
        raise
    except Exception as error:  # whatever is wrong with the JSON
        raise ColumnError(
            f"{str(path)!r} holds no annotations of COCO: it needs lists named images, "
            f"annotations and categories ({type(error).__name__}: {error})."
        ) from error
    if not images:
        raise ColumnError(f"{str(path)!r} has no images.")
    if {0, _CROWD} & categories.keys():
        raise ColumnError(
            f"{str(path)!r}: a category has the number 0 or {_CROWD}, which mean no category and "
            "crowds. Give it another number."
        )
    _refuse_strays(coco, images, categories, path)
    root, dtype = Path(expanded(folder)).absolute(), np.min_scalar_type(max(_CROWD, *categories))
    rows = [(str(root / name), _mask(coco, image, name, dtype)) for name, image in images]
    table = pd.DataFrame(rows, columns=["image", "mask"])
    table.attrs["categories"] = categories
    return table


def _refuse_strays(
    coco: Any, images: list[tuple[str, dict[str, Any]]], categories: dict[int, str], path: Any
) -> None:
    """Refuse annotations without their image or category: their pixels would have no class."""
    if len(coco.imgs) < len(images):
        raise ColumnError(f"{str(path)!r}: several images have the same id.")
    for item in coco.anns.values():
        for key, known in (("image_id", coco.imgs), ("category_id", categories)):
            if item[key] not in known:
                raise ColumnError(
                    f"{str(path)!r}: annotation {item.get('id')} has {key} {item[key]!r}, which is "
                    "not in the file."
                )


def _mask(coco: Any, image: dict[str, Any], name: str, dtype: np.dtype[Any]) -> np.ndarray:
    """Return the category of each pixel of an image."""
    if not {"height", "width"} <= image.keys():
        raise ColumnError(f"The image {name!r} has no height and width.")
    mask = np.zeros((image["height"], image["width"]), dtype=dtype)
    found = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
    parts = [(_area(coco, item, mask.shape, name), item) for item in found]
    for part, item in sorted(parts, key=lambda pair: -pair[0].sum()):
        mask[part] = _CROWD if item.get("iscrowd") else item["category_id"]
    return mask


def _area(coco: Any, item: dict[str, Any], shape: tuple[int, ...], name: str) -> np.ndarray:
    """Return the pixels of an annotation, bool."""
    where = f"Annotation {item.get('id')} of {name!r}"
    try:
        with warnings_ignored(module="pycocotools"):
            part = coco.annToMask(item).astype(bool)
    except Exception as error:  # pycocotools raises whatever happens
        raise ColumnError(
            f"{where} has no segmentation that can be read ({type(error).__name__}: {error})."
        ) from error
    if part.shape != shape:
        raise ColumnError(f"{where} has {part.shape} pixels, its image {shape}.")
    return part
