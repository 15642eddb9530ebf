"""NIfTI volumes: orientation, limits, damage."""

import gzip
import itertools

import nibabel
import numpy as np
import pytest

from sktransfer import ImageEmbedder, read_volume
from sktransfer.exceptions import BadCellError, ColumnError
from sktransfer.modalities.image import decode_image
from sktransfer.modalities.image._nifti import is_nifti, open_nifti
from tests._tiny import tiny_network
from tests.faults.image_fuzz import run
from tests.modalities.image._medical import nifti

VOXELS = np.arange(7 * 5 * 3, dtype=np.int16).reshape(7, 5, 3)
AFFINE = np.array([[2.0, 0, 0, -6], [0, 3, 0, -8], [0, 0, 4, 10], [0, 0, 0, 1]])


def test_the_same_voxels_in_any_order_of_axes_are_the_same_slices():
    expected = read_volume(nifti(VOXELS, AFFINE))
    # The front at the top, the patient's right on the left, from feet to head.
    np.testing.assert_allclose(
        np.stack(expected["image"]), VOXELS[::-1, ::-1].transpose(2, 1, 0) / np.float32(104)
    )
    assert expected["slice"].tolist() == [0, 1, 2]
    assert expected["position"].tolist() == [10, 14, 18]
    image = nibabel.Nifti1Image(VOXELS, AFFINE)
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product([1, -1], repeat=3):
            turned = image.as_reoriented(np.array(list(zip(axes, signs, strict=True))))
            for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
                content = nifti(np.asanyarray(turned.dataobj), turned.affine, kind)
                found = read_volume(gzip.compress(content, 1) if signs[0] > 0 else content)
                np.testing.assert_array_equal(np.stack(found["image"]), np.stack(expected["image"]))
                np.testing.assert_allclose(found["position"], expected["position"], atol=1e-5)


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "i4", "f4", "f8", ">i2", ">f4"])
def test_values_of_every_type_are_shown_from_the_smallest_to_the_largest(dtype):
    values = (VOXELS - (20 if np.dtype(dtype).kind != "u" else 0)).astype(dtype)
    (first, *_) = read_volume(nifti(values, AFFINE))["image"]
    assert first.dtype == np.float32
    np.testing.assert_allclose(first, VOXELS[::-1, ::-1, 0].T / np.float32(104), atol=1e-6)


def test_scaling_and_range_of_the_header_are_applied():
    scaling = np.float32([2, -1000]).tobytes()
    scaled = (content := nifti(VOXELS, AFFINE))[:112] + scaling + content[120:]
    hounsfield = np.stack(read_volume(scaled, window=(-900, 100))["image"])
    values = VOXELS[::-1, ::-1].transpose(2, 1, 0) * 2.0 - 1000
    np.testing.assert_allclose(hounsfield, ((values + 950) / 100).clip(0, 1), atol=1e-6)
    shown = np.stack(read_volume(nifti(VOXELS, cal_min=10, cal_max=60))["image"])
    unscaled = VOXELS[::-1, ::-1].transpose(2, 1, 0)
    np.testing.assert_allclose(shown, ((unscaled - 10) / 50).clip(0, 1), atol=1e-6)
    by_name, by_number = (read_volume(nifti(VOXELS), window=w) for w in ("brain", (40, 80)))
    np.testing.assert_array_equal(np.stack(by_name["image"]), np.stack(by_number["image"]))


def test_voxels_that_are_nan_are_black():
    values = VOXELS.astype(np.float32)
    values[0, 0], values[1, 1] = np.nan, np.inf
    for window in (None, (50, 100)):
        images = np.stack(read_volume(nifti(values), window=window)["image"])
        assert np.isfinite(images).all()
        assert not images[:, -1, -1].any()
        assert images[:, -2, -2].all()
    assert not np.stack(read_volume(nifti(values * np.nan))["image"]).any()


def _with_shape(content, *shape):
    dims = np.array([len(shape), *shape, *[1] * (7 - len(shape))], "<i2").tobytes()
    return content[:40] + dims + content[56:]


PLAIN = nifti(VOXELS)
BAD = {
    "too many voxels": (
        _with_shape(PLAIN, 2000, 2000, 2000),
        r"above the limit of 500000000 voxels",
    ),
    "compressed, too many": (
        gzip.compress(_with_shape(PLAIN, 2000, 2000, 2000)),
        "above the limit",
    ),
    "cut": (PLAIN[:-1], "ends early; get it anew"),
    "cut, compressed": (gzip.compress(PLAIN)[:-20], "damaged"),
    "several volumes": (
        nifti(np.zeros((2, 2, 2, 2), np.int16)),
        r"holds several volumes; .*slicer",
    ),
    "two axes": (_with_shape(PLAIN, 7, 5), "is not a volume"),
    "no voxels": (_with_shape(PLAIN, 7, 0, 3), "is not a volume"),
    "negative": (_with_shape(PLAIN, 7, -5, 3), "is not a volume"),
    "complex": (nifti(VOXELS.astype(np.complex64)), "voxels of type complex64 are not grey values"),
    "colours": (nifti(np.zeros((2, 2, 2), [(c, "u1") for c in "RGB"])), "are not grey values"),
    "data far behind": (PLAIN[:108] + np.float32(1e9).tobytes() + PLAIN[112:], "header is damaged"),
    "unknown type": (PLAIN[:70] + b"\x7f\x7f" + PLAIN[72:], "cannot read"),
    "another file": (b"\x1f\x8b" + bytes(100), "neither a NIfTI volume nor a DICOM file"),
}


@pytest.mark.parametrize(("content", "match"), BAD.values(), ids=BAD)
def test_a_bad_volume_is_refused(content, match):
    with pytest.raises(ColumnError, match=match) as caught:
        read_volume(content)
    assert "SENTINEL" not in str(caught.value)


def test_a_bomb_is_not_decompressed():
    content = gzip.compress(PLAIN + bytes(50 << 20))
    assert len(content) < 100_000
    assert open_nifti(content, 105).values.shape == (7, 5, 3)
    with pytest.raises(BadCellError, match="above the limit of 104 voxels"):
        open_nifti(content, 104)


def test_a_volume_as_an_image_cell_is_refused_with_what_to_pass(tmp_path):
    for name, content in (("a.nii", PLAIN), ("a.nii.gz", gzip.compress(PLAIN))):
        (tmp_path / name).write_bytes(content)
        for cell in (tmp_path / name, content):
            assert is_nifti(content)
            with pytest.raises(
                BadCellError, match=r"a NIfTI volume \(pass .*sktransfer.read_volume"
            ):
                decode_image(cell)
        images = read_volume(tmp_path / name)["image"]
        assert ImageEmbedder(tiny_network()).fit_transform(images).shape == (3, 6)


def _read(content):
    try:
        images = read_volume(content, max_voxels=100_000)["image"]
    except ColumnError:
        return "refused"
    return "pixels" if all(i.min() >= 0 and i.max() <= 1 for i in images) else "wrong"


@pytest.mark.parametrize("n", [300, pytest.param(1_200, marks=pytest.mark.slow)])
def test_damaged_files_give_slices_or_an_error(n):
    kinds = (nibabel.Nifti1Image, nibabel.Nifti2Image)
    plain = [nifti(VOXELS.astype(t), AFFINE, kind) for t in ("u1", "i2", "f4") for kind in kinds]
    files = [("NIfTI", c) for c in plain] + [("NIfTI", gzip.compress(c)) for c in plain]
    counts = run(n, seed=1, read=_read, files=files)
    assert min(counts["pixels"], counts["refused"]) > n // 12
    assert (counts["wrong"], counts["crashed"], counts["hung"]) == (0, 0, 0)
