"""A volume, a film or a folder of slices becomes a table of images."""

import sys

import numpy as np
import pandas as pd
import pytest
from pydicom.pixels import pixel_array

from sktransfer import ImageEmbedder, read_volume
from sktransfer.exceptions import ColumnError, LeftOutWarning
from tests._tiny import tiny_network
from tests.modalities.image._bad_images import NOISE
from tests.modalities.image._medical import RAMP, dicom, item, nifti, pydicom_files, slice_at

BY_NAME = {path.name: path for path in pydicom_files().values()}
HEIGHTS = [7.5, -5.0, 0.0, 2.5, -2.5, 5.0]


@pytest.fixture
def folder(tmp_path):
    for number, height in enumerate(HEIGHTS):
        (tmp_path / f"IM{number}").write_bytes(slice_at(height, RAMP + np.int16(height * 10)))
    return tmp_path


def test_a_folder_of_slices_is_sorted_by_where_they_lie(folder):
    (folder / ".hidden").write_bytes(b"")
    (folder / "sub").mkdir()
    for path in (folder, str(folder)):
        table = read_volume(path)
        assert list(table.columns) == ["image", "slice", "position"]
        assert table["position"].tolist() == sorted(HEIGHTS)
        assert table["slice"].tolist() == [*range(6)]
        # One scale for the whole volume, so that a brighter slice is brighter.
        values = np.stack([RAMP.astype(float) + height * 10 for height in sorted(HEIGHTS)])
        low, high = values.min(), values.max()
        np.testing.assert_allclose(
            np.stack(table["image"]), (values - low) / (high - low), atol=1e-6
        )


def test_a_window_applies_to_all_slices(folder):
    table = read_volume(folder, window=(0, 101))
    np.testing.assert_allclose(table["image"][2], ((RAMP + 50.5) / 100).clip(0, 1), atol=1e-6)
    with pytest.raises(ValueError, match="is no window"):
        read_volume(folder, window=(0, 0))


def test_slices_in_another_direction_are_sorted_along_it(tmp_path):
    for number, x in enumerate([3, 1, 2]):
        turned = {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}
        turned["ImagePositionPatient"] = [x, 0, 0]
        (tmp_path / str(number)).write_bytes(slice_at(0, **turned))
    assert read_volume(tmp_path)["position"].tolist() == [-3, -2, -1]


def test_files_without_an_image_are_left_out_with_a_warning(folder):
    expected = read_volume(folder)
    (folder / "README.txt").write_text("notes")
    (folder / "report").write_bytes(dicom().replace(b"\xe0\x7f\x10\0", b"\xe0\x7f\x11\0"))
    with pytest.warns(LeftOutWarning, match=r"left out 2 files of .* first is '.*README.txt'"):
        pd.testing.assert_frame_equal(read_volume(folder), expected)


MIXED = {
    "another series": (slice_at(9, SeriesInstanceUID="1.2.3"), "slices of 2 series"),
    "no place": (dicom(), "do not say where they lie"),
    "another size": (slice_at(9, RAMP[:9]), "slices of different sizes"),
    "another direction": (
        slice_at(9, ImageOrientationPatient=[0, 1, 0, 0, 0, 1]),
        "slices of different directions",
    ),
    "the same place": (slice_at(5), "several slices in one place"),
    "several frames": (dicom(np.stack([RAMP] * 2)), "'more' holds several frames"),
    "damaged": (slice_at(9)[:-9], "a DICOM file that pydicom cannot decode"),
}


@pytest.mark.parametrize(("content", "match"), MIXED.values(), ids=MIXED)
def test_a_folder_that_is_not_one_volume_is_refused(content, match, folder):
    (folder / "more").write_bytes(content)
    with pytest.raises(ColumnError, match=match):
        read_volume(folder)


def test_what_is_no_volume_is_refused(tmp_path):
    with pytest.raises(ColumnError, match="a folder without DICOM images directly in it"):
        read_volume(tmp_path)
    with pytest.raises(ColumnError, match=r"'.*nothing.nii': no such file"):
        read_volume(tmp_path / "nothing.nii")
    for content in (b"", b"\x89PNG", dicom()[132:]):
        with pytest.raises(ColumnError, match="bytes>: neither a NIfTI volume nor a DICOM file"):
            read_volume(content)


def test_the_limit_of_voxels_applies_before_decoding(folder):
    with pytest.raises(ColumnError, match="a volume of 12288 voxels is above the limit of 12287"):
        read_volume(folder, max_voxels=12287)
    assert len(read_volume(folder, max_voxels=12288)) == len(read_volume(folder, max_voxels=None))
    frames = dicom(np.stack([RAMP] * 3))
    with pytest.raises(ColumnError, match="a volume of 6144 voxels is above the limit"):
        read_volume(frames, max_voxels=6143)
    claimed = frames.replace(b"\x28\0\x08\0IS\2\x003 ", b"\x28\0\x08\0IS\2\x0099")
    with pytest.raises(ColumnError, match="cannot decode"):
        read_volume(claimed)


@pytest.mark.parametrize(
    "name",
    ["examples_ybr_color.dcm", "rtdose.dcm", "rtdose_rle.dcm", "SC_rgb_rle_16bit_2frame.dcm"],
)
def test_frames_of_a_file_are_those_of_pydicom(name):
    table, expected = read_volume(BY_NAME[name]), pixel_array(BY_NAME[name]).astype(float)
    low = expected.min() if "dose" in name else 0
    high = {"rtd": expected.max(), "exa": 255, "SC_": 65535}[name[:3]]
    found = np.stack([i / 255 if i.dtype == np.uint8 else i for i in table["image"]])
    np.testing.assert_allclose(found, (expected - low) / (high - low), atol=1e-6)
    assert table["position"].isna().all()
    assert ImageEmbedder(tiny_network()).fit_transform(table["image"][:2]).shape == (2, 6)


def test_frames_have_the_rescaling_window_and_place_of_their_own():
    own = []
    for number in range(3):
        own += item(
            PixelValueTransformationSequence=item(
                RescaleSlope=number + 1, RescaleIntercept=-number, RescaleType="HU"
            ),
            PlanePositionSequence=item(ImagePositionPatient=[0, 0, 4 * number]),
        )
    shared = item(
        FrameVOILUTSequence=item(WindowCenter=0, WindowWidth=2001),
        PlaneOrientationSequence=item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
        PixelMeasuresSequence=item(PixelSpacing=[1, 1]),
    )
    groups = {"SharedFunctionalGroupsSequence": shared, "PerFrameFunctionalGroupsSequence": own}
    table = read_volume(dicom(np.stack([RAMP] * 3), **groups))
    for number, image in enumerate(table["image"]):
        values = RAMP * (number + 1.0) - number
        np.testing.assert_allclose(image, ((values + 1000.5) / 2000).clip(0, 1), atol=1e-6)
    assert table["position"].tolist() == [0, 4, 8]


VOXELS = np.arange(4 * 3 * 2, dtype=np.int16).reshape(4, 3, 2)
LABELS = (VOXELS % 5).astype(np.uint8)


@pytest.mark.parametrize("dtype", ["u1", "i2", "f4", "f8"])
def test_masks_fit_the_images_pixel_for_pixel(dtype):
    turned = np.diag([-1.0, 1, 1, 1])
    turned[0, 3] = 3
    same = nifti(LABELS.astype(dtype), np.eye(4))
    mirrored = nifti(LABELS[::-1].astype(dtype), turned)  # the same voxels, stored otherwise
    for labels in (same, mirrored):
        table = read_volume(nifti(VOXELS), labels=labels)
        assert list(table.columns) == ["image", "slice", "position", "mask"]
        for image, mask in zip(table["image"], table["mask"], strict=True):
            assert mask.dtype == np.uint8
            np.testing.assert_array_equal(np.rint(image * 23) % 5, mask)


def test_class_numbers_may_be_large_or_negative():
    for values in (LABELS.astype(int) * 1000, LABELS.astype(int) - 1):
        (first, _) = read_volume(nifti(VOXELS), labels=nifti(values.astype(np.int32)))["mask"]
        assert first.dtype == np.int32
        np.testing.assert_array_equal(first, values.astype(int)[::-1, ::-1, 0].T)


def test_labels_of_a_folder_of_slices(folder):
    affine = np.diag([-0.5, -2, 2.5, 1])  # from the feet, to the left and to the back
    affine[:3, 3] = 10, 20, -5
    numbers = np.arange(64 * 32 * 6).reshape(64, 32, 6) % 7
    table = read_volume(folder, labels=nifti(numbers.astype(np.uint8), affine))
    for k, mask in enumerate(table["mask"]):
        np.testing.assert_array_equal(mask, numbers[:, :, k].T)
    affine[2, 3] = -7.5
    with pytest.raises(ColumnError, match="voxels in other places than the volume; resample it"):
        read_volume(folder, labels=nifti(numbers.astype(np.uint8), affine))


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (
            nifti(LABELS[:3]),
            r"labels=<.*>: has slices, rows and columns \(2, 3, 3\), and the volume",
        ),
        (nifti(LABELS, np.diag([2.0, 2, 2, 1])), "voxels in other places"),
        (nifti(LABELS, np.diag([-1.0, 1, 1, 1])), "voxels in other places"),
        (nifti(LABELS / np.float32(2)), "has values that are not class numbers"),
        (dicom(np.stack([RAMP] * 2)), "is not a NIfTI file"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, match):
    with pytest.raises(ColumnError, match=match):
        read_volume(nifti(VOXELS), labels=labels)


def test_8_bits_and_colours():
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    (image,) = read_volume(dicom(grey))["image"]
    np.testing.assert_array_equal(image, grey / np.float32(255))
    (colours,) = read_volume(dicom(NOISE, PhotometricInterpretation="RGB"))["image"]
    np.testing.assert_array_equal(colours, NOISE)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ImportError, match=r"nibabel: pip install 'sktransfer\[medical\]'"):
        read_volume(nifti(VOXELS))
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        read_volume(nifti(VOXELS))
