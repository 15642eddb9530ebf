"""A volume, or a file of several frames, as a table of its slices."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sktransfer._paths import expanded
from sktransfer._warnings import warn
from sktransfer.columns import describe
from sktransfer.exceptions import BadCellError, ColumnError, LeftOutWarning
from sktransfer.modalities._files import read_file
from sktransfer.modalities.image._content_limits import most_bytes
from sktransfer.modalities.image._dicom import (
    frames,
    is_dicom,
    n_frames,
    open_dicom,
    series_of,
)
from sktransfer.modalities.image._frame import Frame
from sktransfer.modalities.image._nifti import is_nifti, open_nifti
from sktransfer.modalities.image._window import Window, as_window

if TYPE_CHECKING:
    import pandas as pd

Source = str | os.PathLike[str] | bytes

_SAME_PLACE = 0.1  # mm


def read_volume(
    path: Source,
    *,
    labels: Source | None = None,
    window: str | tuple[float, float] | None = None,
    max_voxels: int | None = 500_000_000,
) -> pd.DataFrame:
    """Read a volume, or a film, as a table with one image per row.

    A NIfTI file is read in axial slices from feet to head, each as radiologists look at it: the
    front at the top, the patient's right on the left. Slices of DICOM files are as in their files.

    Parameters
    ----------
    path : str, path-like or bytes
        A NIfTI file (``.nii``, ``.nii.gz``), a DICOM file of one or more frames, or a folder with
        one DICOM file per slice; or the content of a file. ``~`` is the home folder.
    labels : str, path-like or bytes, optional
        A NIfTI file of the same voxels, with a class number in each.
    window : str or tuple of float, optional
        Grey values shown from black to white: "abdomen", "bone", "brain", "liver", "lung",
        "mediastinum", "stroke" or "subdural" of computed tomography, or ``(center, width)``. None:
        what the file says (``WindowCenter`` of DICOM, ``cal_max`` of NIfTI), or else all values of
        the volume.
    max_voxels : int or None, default=500_000_000
        Maximum number of voxels of the volume; each takes four bytes or more. None: no limit.

    Returns
    -------
    pandas.DataFrame
        One row per slice or frame, with the columns "image" (arrays of shape (H, W), float32 in
        [0, 1]; of shape (H, W, 3), and uint8 if they have 8 bits, if the file has colours), "slice"
        (int, from 0), "position" (float, mm along the direction of the slices; NaN if unknown)
        and, with `labels`, "mask" (arrays of int, of the shape of the image).

    Raises
    ------
    ColumnError
        If there is no such file, it cannot be read, the files of a folder are not one series, or
        the labels do not fit.
    ImportError
        If pandas, pydicom or nibabel is not installed.

    Warns
    -----
    LeftOutWarning
        If files of a folder were left out because they hold no DICOM image.

    Notes
    -----
    Values that are NaN are black. No names or dates are read from DICOM files.

    Examples
    --------
    >>> import nibabel
    >>> import numpy as np
    >>> from sktransfer import read_volume
    >>> voxels = np.arange(24, dtype="int16").reshape(2, 3, 4)
    >>> volume = nibabel.Nifti1Image(voxels, np.eye(4)).to_bytes()
    >>> table = read_volume(volume, window=(12, 24))
    >>> table["position"].tolist(), table["image"][0].shape
    ([0.0, 1.0, 2.0, 3.0], (3, 2))

    An estimator takes the columns: ``ImageEmbedder().fit_transform(table["image"])``.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("read_volume returns a pandas.DataFrame: pip install pandas.") from error

    slices = _read(path, as_window(window), max_voxels)
    columns = {
        "image": pd.Series(_images(slices), dtype=object),
        "slice": range(len(slices)),
        "position": _positions(slices),
    }
    if labels is not None:
        columns["mask"] = pd.Series(_masks(labels, slices, max_voxels), dtype=object)
    return pd.DataFrame(columns)


def _read(source: Source, window: Window | None, max_voxels: int | None) -> list[Frame]:
    """Return the slices of a volume in order; errors name it."""
    try:
        if not isinstance(source, bytes | bytearray):
            path = expanded(source)
            if path.is_dir():
                return _slices_of_folder(path, window, max_voxels)
        data = _content(source, max_voxels)
        if is_nifti(data):
            return _nifti_slices(data, window, max_voxels)
        return _dicom_frames(data, window, max_voxels)
    except BadCellError as error:
        problem = f"{describe(source)}: {error}."
    raise ColumnError(problem)


def _content(source: Source, max_voxels: int | None) -> bytes | bytearray:
    if isinstance(source, bytes | bytearray):
        return source
    return read_file(str(expanded(source)), most_bytes(max_voxels))


def _dicom_frames(
    data: bytes | bytearray, window: Window | None, max_voxels: int | None
) -> list[Frame]:
    dataset = open_dicom(data, max_voxels) if is_dicom(data) else None
    if dataset is None:
        raise BadCellError("neither a NIfTI volume nor a DICOM file with pixels")
    _check_voxels(n_frames(dataset) * dataset.Rows * dataset.Columns, max_voxels)
    return [*frames(dataset, window)]


def _check_voxels(count: int, max_voxels: int | None) -> None:
    if max_voxels is not None and count > max_voxels:
        raise BadCellError(
            f"a volume of {count} voxels is above the limit of {max_voxels}; raise max_voxels if "
            "you trust where it comes from"
        )


def _nifti_slices(
    data: bytes | bytearray, window: Window | None, max_voxels: int | None
) -> list[Frame]:
    voxels, affine, (low, high) = open_nifti(data, max_voxels)
    is_windowed = high > low
    if not is_windowed:
        finite = voxels[np.isfinite(voxels)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if window:
        voxels, low, high = window.apply(voxels), 0.0, 1.0
    steps = affine[:3, :2].T
    return [
        Frame(
            np.ascontiguousarray(voxels[:, :, k].T),
            *(low, high, is_windowed or window is not None),
            place=np.vstack([affine[:3, 2] * k + affine[:3, 3], steps]),
        )
        for k in range(voxels.shape[2])
    ]


def _slices_of_folder(folder: Path, window: Window | None, max_voxels: int | None) -> list[Frame]:
    slices: list[Frame] = []
    series: set[str] = set()
    left_out: list[Path] = []
    count = 0
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        data = read_file(str(path), most_bytes(max_voxels))
        dataset = open_dicom(data, max_voxels) if is_dicom(data) else None
        if dataset is None:
            left_out.append(path)
            continue
        if n_frames(dataset) > 1:
            raise BadCellError(f"{path.name!r} holds several frames; read it by itself")
        count += dataset.Rows * dataset.Columns
        _check_voxels(count, max_voxels)
        series.add(series_of(dataset))
        slices += frames(dataset, window)
    _refuse_mixed(slices, len(series))
    if left_out:
        warn(
            f"read_volume left out {len(left_out)} files of {str(folder)!r} that hold no DICOM "
            f"image; the first is {str(left_out[0])!r}.",
            LeftOutWarning,
        )
    return [slices[i] for i in np.argsort(_positions(slices))]


def _refuse_mixed(slices: Sequence[Frame], n_series: int) -> None:
    """Refuse the slices of a folder unless they lie side by side, each in a place of its own."""
    if not slices:
        raise BadCellError("a folder without DICOM images directly in it")
    if n_series > 1:
        raise BadCellError(f"a folder with slices of {n_series} series; pass a folder of one")
    if any(one.place is None for one in slices):
        raise BadCellError("a folder with slices that do not say where they lie")
    if len({one.values.shape for one in slices}) > 1:
        raise BadCellError("a folder with slices of different sizes")
    normals = np.array([_normal(one) for one in slices])
    if not np.allclose(normals, normals[0], atol=1e-3):
        raise BadCellError("a folder with slices of different directions")
    if len(slices) > 1 and np.diff(np.sort(_positions(slices))).min() < 1e-3:
        raise BadCellError("a folder with several slices in one place, of several times perhaps")


def _normal(one: Frame) -> np.ndarray:
    assert one.place is not None
    normal = np.cross(one.place[1], one.place[2])
    return normal / (np.linalg.norm(normal) or 1)


def _positions(slices: Sequence[Frame]) -> list[float]:
    return [np.nan if one.place is None else float(_normal(one) @ one.place[0]) for one in slices]


def _images(slices: Sequence[Frame]) -> list[np.ndarray]:
    """Return the slices as they are shown; without a window, all on the scale of the volume."""
    low, high = min(one.low for one in slices), max(one.high for one in slices)
    images = [one.shown() if one.is_windowed else one.shown(low, high) for one in slices]
    images = [np.nan_to_num(image, copy=False) for image in images]
    return [i / np.float32(255) if i.dtype == np.uint8 and i.ndim == 2 else i for i in images]


def _masks(labels: Source, slices: Sequence[Frame], max_voxels: int | None) -> list[np.ndarray]:
    """Return the class numbers of each slice."""
    try:
        data = _content(labels, max_voxels)
        if not is_nifti(data):
            raise BadCellError("is not a NIfTI file")
        found = _nifti_slices(data, None, max_voxels)
        numbers = [_class_numbers(one.values) for one in found]
        _refuse_misfit(found, slices)
    except BadCellError as error:
        problem = f"labels={describe(labels)}: {error}."
    else:
        low, high = min(map(np.min, numbers)), max(map(np.max, numbers))
        dtype = np.uint8 if low >= 0 and high <= 255 else np.int32
        return [number.astype(dtype) for number in numbers]
    raise ColumnError(problem)


def _class_numbers(values: np.ndarray) -> np.ndarray:
    numbers = np.rint(values)
    if (numbers != values).any():
        raise BadCellError("has values that are not class numbers")
    return numbers


def _refuse_misfit(labels: Sequence[Frame], slices: Sequence[Frame]) -> None:
    """Refuse labels of other voxels than those of a volume."""
    one, other = ((len(v), *v[0].values.shape[:2]) for v in (labels, slices))
    if one != other:
        raise BadCellError(f"has slices, rows and columns {one}, and the volume {other}")
    theirs, own = _corners(labels), _corners(slices)
    if theirs is not None and own is not None and abs(theirs - own).max() > _SAME_PLACE:
        raise BadCellError("has voxels in other places than the volume; resample it to the volume")


def _corners(slices: Sequence[Frame]) -> np.ndarray | None:
    """Return where the first pixel of the first slice and the last of the last lie, in mm."""
    first, last = slices[0], slices[-1]
    if first.place is None or last.place is None:
        return None
    height, width = last.values.shape[:2]
    return np.stack([first.place[0], [1, width - 1, height - 1] @ last.place])
