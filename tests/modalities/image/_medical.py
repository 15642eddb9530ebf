"""DICOM and NIfTI files for tests."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pydicom.data
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels import set_pixel_data
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

#: What no message, name, cache or file may contain.
PERSON = "SENTINEL^PERSON"
SERIES = generate_uid()

RAMP = np.arange(-1024, 1024, dtype=np.int16).reshape(32, 64)


def dicom(
    pixels: np.ndarray = RAMP, /, syntax: Any = ExplicitVRLittleEndian, **values: Any
) -> bytes:
    """Return a DICOM file with these values of elements, of a person."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
    dataset.SeriesInstanceUID = SERIES
    for name in ("PatientName", "PatientID", "StudyDescription", "InstitutionName"):
        setattr(dataset, name, PERSON)
    kind = values.pop("PhotometricInterpretation", "MONOCHROME2")
    stored = values.pop("BitsStored", 8 * pixels.dtype.itemsize)
    set_pixel_data(dataset, pixels, "RGB" if pixels.shape[-1] == 3 else "MONOCHROME2", stored)
    dataset.PhotometricInterpretation = kind
    dataset.file_meta.TransferSyntaxUID = syntax
    for name, value in values.items():
        setattr(dataset, name, value)
    return written(dataset)


def written(dataset: Dataset) -> bytes:
    """Return the content of the file of a dataset."""
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, dataset, enforce_file_format=True)
    return stream.getvalue()


def compressed(
    coded: bytes | list[bytes], syntax: Any, pixels: np.ndarray, /, **values: Any
) -> bytes:
    """Return a file like that of `dicom(pixels)`, with these compressed frames in it."""
    dataset = pydicom.dcmread(io.BytesIO(dicom(pixels, **values)))
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([coded] if isinstance(coded, bytes) else coded)
    dataset["PixelData"].is_undefined_length = True
    return written(dataset)


def item(**values: Any) -> list[Dataset]:
    """Return a sequence of one item."""
    found = Dataset()
    for name, value in values.items():
        setattr(found, name, value)
    return [found]


def slice_at(z: float, pixels: np.ndarray = RAMP, **values: Any) -> bytes:
    """Return an axial slice at a height in mm."""
    place = {
        "ImagePositionPatient": [-10, -20, z],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [2, 0.5],
    }
    return dicom(pixels, **{**place, **values})


@cache
def pydicom_files() -> dict[str, Path]:
    """Return pydicom's own test files that hold pixels, by name."""
    root = Path(pydicom.data.__file__).parent
    files = [path for path in root.rglob("*") if path.is_file()]
    pixels = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
    deflated = {"image_dfl.dcm"}
    return {
        str(path.relative_to(root)): path
        for path in sorted(files)
        if (content := path.read_bytes())[128:132] == b"DICM"
        and (path.name in deflated or any(tag in content for tag in pixels))
    }


def nifti(
    voxels: np.ndarray, affine: Any = None, kind: Any = nibabel.Nifti1Image, **header: Any
) -> bytes:
    """Return a NIfTI file."""
    image = kind(voxels, np.eye(4) if affine is None else affine)
    image.header["descrip"] = PERSON
    for name, value in header.items():
        image.header[name] = value
    return image.to_bytes()
