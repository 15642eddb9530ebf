"""Values of a decoded DICOM frame, as pydicom's functions for its tables and windows give them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sktransfer.exceptions import BadCellError
from sktransfer.modalities.image._frame import Frame
from sktransfer.modalities.image._window import Window

if TYPE_CHECKING:
    from pydicom import Dataset

# Where files of several frames hold the same elements.
_GROUPS = [
    *("PixelValueTransformationSequence", "FrameVOILUTSequence"),
    *("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"),
]

_COLOURS = {"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "PALETTE COLOR"}


def frame_of(values: np.ndarray, dataset: Dataset, index: int, window: Window | None) -> Frame:
    """Return a frame.

    Parameters
    ----------
    values : ndarray
        Its pixels as they are stored.
    dataset : Dataset
        Of the file; elements of the frame are written into it.
    index : int
        Number of the frame.
    window : Window or None
        Shown in place of that of the file.
    """
    _use_groups(dataset, index)
    is_grey = values.ndim == 2 and dataset.PhotometricInterpretation != "PALETTE COLOR"
    frame = (_grey if is_grey else _coloured)(values, dataset, window)
    return frame._replace(place=_place(dataset))


def _use_groups(dataset: Dataset, index: int) -> None:
    """Take the rescaling, window and place of a frame from where files of many frames have them."""
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    own = dataset.get("PerFrameFunctionalGroupsSequence") or []
    for group in (*shared[:1], *own[index : index + 1]):
        for name in _GROUPS:
            for item in (group.get(name) or [])[:1]:
                dataset.update(item)


def _place(dataset: Dataset) -> np.ndarray | None:
    names = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    position, sides, spacing = (np.array(dataset.get(name) or [], dtype=float) for name in names)
    if (len(position), len(sides), len(spacing)) != (3, 6, 2):
        return None
    place = np.stack([position, sides[:3] * spacing[1], sides[3:] * spacing[0]])
    return place if np.isfinite(place).all() else None


def _coloured(values: np.ndarray, dataset: Dataset, window: Window | None) -> Frame:
    from pydicom.pixels import apply_color_lut

    if window:
        raise BadCellError("a window applies to grey images, and this DICOM image has colours")
    kind = str(dataset.PhotometricInterpretation)
    if kind not in _COLOURS or dataset.PixelRepresentation:
        raise BadCellError("a DICOM image of unusual colours; convert it to RGB")
    if kind != "PALETTE COLOR":
        return Frame(values, 0, float(2**dataset.BitsStored - 1))
    if "RedPaletteColorLookupTableData" not in dataset:
        raise BadCellError("a DICOM image with a segmented palette; convert it to RGB")
    values = apply_color_lut(values, dataset)
    return Frame(values, 0, np.iinfo(values.dtype).max)


def _grey(values: np.ndarray, dataset: Dataset, window: Window | None) -> Frame:
    from pydicom.pixels import apply_modality_lut

    if dataset.PhotometricInterpretation not in ("MONOCHROME1", "MONOCHROME2"):
        raise BadCellError("a DICOM image that is neither grey nor in colours; convert it to RGB")
    stored, values = values, apply_modality_lut(values, dataset)
    is_inverted = dataset.PhotometricInterpretation == "MONOCHROME1"
    if window:
        _set_window(dataset, window, values)
    if _has_table(dataset) or _width(dataset) > 0:
        return Frame(*_windowed(values, dataset), is_inverted=is_inverted)
    # Such images are made to be seen as they are.
    if stored.dtype == np.uint8 and np.array_equal(values, stored):
        return Frame(stored, 0, float(2**dataset.BitsStored - 1), is_inverted=is_inverted)
    shown = values[~_is_padding(stored, dataset) & np.isfinite(values)]
    low, high = (shown.min(), shown.max()) if shown.size else (0, 0)
    return Frame(values, float(low), float(high), is_windowed=False, is_inverted=is_inverted)


def _set_window(dataset: Dataset, window: Window, values: np.ndarray) -> None:
    window.check(values)
    if window.preset and (dataset.get("Modality") or "CT") != "CT":
        raise window.refuse("this DICOM file is not of computed tomography")
    dataset.WindowCenter, dataset.WindowWidth = window[:2]
    if "VOILUTSequence" in dataset:
        del dataset.VOILUTSequence


def _has_table(dataset: Dataset) -> bool:
    items = dataset.get("VOILUTSequence")
    return bool(items) and "LUTDescriptor" in items[0] and "LUTData" in items[0]


def _width(dataset: Dataset) -> float:
    """Return the width of the window of a file; 0 if it has none."""
    if dataset.get("WindowCenter") is None or dataset.get("WindowWidth") is None:
        return 0.0
    return float(np.atleast_1d(dataset.WindowWidth)[0])


def _windowed(values: np.ndarray, dataset: Dataset) -> tuple[np.ndarray, float, float]:
    """Return values after the VOI LUT or window, and those that are black and white after it."""
    from pydicom.pixels import apply_voi_lut

    for name, value in (("BitsStored", 16), ("PixelRepresentation", 0)):
        dataset.setdefault(name, value)  # floats have none, and their scale does not matter here
    if _width(dataset) < 1 and dataset.get("VOILUTFunction") != "SIGMOID":
        dataset.VOILUTFunction = "LINEAR_EXACT"  # LINEAR, of whole numbers, takes no such window
    windowed = apply_voi_lut(values, dataset)
    if _has_table(dataset):
        return windowed, 0, 2 ** int(dataset.VOILUTSequence[0].LUTDescriptor[2]) - 1
    low, high = apply_voi_lut(np.array([-np.inf, np.inf]), dataset)
    return windowed, float(low), float(high)


def _is_padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Return where the pixels are only there to fill the image."""
    padding = dataset.get("PixelPaddingValue")
    if not isinstance(padding, int):
        return np.zeros(stored.shape, bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = sorted((padding, limit if isinstance(limit, int) else padding))
    return (stored >= ends[0]) & (stored <= ends[1])
