"""JPEG of DICOM files that pydicom has no decoder for: lossless, and of 12 bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sktransfer.exceptions import BadCellError

if TYPE_CHECKING:
    from pydicom import Dataset


def decompress(dataset: Dataset, coded: Sequence[bytes]) -> None:
    """Replace compressed pixels by decoded ones.

    Parameters
    ----------
    dataset : Dataset
        Changed as if its file had not been compressed.
    coded : sequence of bytes
        The JPEG image of each frame. Their size has been checked.
    """
    import imagecodecs
    from pydicom.uid import ExplicitVRLittleEndian

    is_lossy = dataset.file_meta.TransferSyntaxUID.keyword == "JPEGExtended12Bit"
    if is_lossy and dataset.SamplesPerPixel != 1:
        raise BadCellError("a DICOM image of 12-bit JPEG colours; convert it to RGB")
    pixels = np.stack([imagecodecs.jpeg8_decode(frame) for frame in coded])
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].is_undefined_length = False
    dataset.BitsAllocated, dataset.PlanarConfiguration = 8 * pixels.itemsize, 0
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
