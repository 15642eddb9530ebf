"""From an image cell to pixels: formats of pictures by Pillow, DICOM by pydicom."""

import functools
import io
import threading

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from sktransfer._forks import released_at_fork
from sktransfer._warnings import warnings_ignored
from sktransfer.columns import name_cell
from sktransfer.exceptions import BadCellError
from sktransfer.modalities._digests import content_digest
from sktransfer.modalities._files import read_file
from sktransfer.modalities.image._content_limits import (
    MAX_PIXELS,
    check_content,
    check_pixels,
    most_bytes,
)
from sktransfer.modalities.image._dicom import dicom_pixels, is_dicom
from sktransfer.modalities.image._geometry import Geometry, fit, reduce
from sktransfer.modalities.image._pixel_sources import Source, guess_content, image_source
from sktransfer.modalities.image._planes import Planes, array_planes, image_planes, to_array
from sktransfer.modalities.image._window import Window

# Formats with a signature and a decoder in C that is fuzzed upstream. Left out on purpose: formats
# for which Pillow starts another program (EPS) or renders (WMF), formats without a signature, which
# claim any file (TGA, PCX), containers, whose content would bypass this list and the limit of
# pixels (ICNS, DCX, MPEG), and rare formats (PSD, DDS, QOI, FITS, ...): each is one more decoder
# that a hostile file may choose.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "ICO", "PPM")

# Loading and copying change a Pillow image internally, and one image may be in several rows.
_shared_images = released_at_fork(threading.Lock())


def decode_image(
    cell: object,
    geometry: Geometry | None = None,
    *,
    digest: bytes | None = None,
    max_pixels: int | None = MAX_PIXELS,
    window: Window | None = None,
) -> np.ndarray:
    """Return the pixels of one image cell.

    Parameters
    ----------
    cell : str, Path, bytes, PIL image, or array of shape (H, W) or (H, W, 1 | 3 | 4)
        Arrays are bool, integers in 0..255, uint16, or floats in [0, 1], or any grey values if
        there is a window; files and bytes are of a common raster format, or DICOM.
    geometry : Geometry, optional
        How the image is resized and cropped; None to return it whole.
    digest : bytes, optional
        Digest of the cell. A file that has changed since it was taken is an error, so that no
        features are stored under the digest of other content.
    max_pixels : int or None
        Most pixels of a file, of bytes or of a Pillow image; an array is in memory already.
    window : Window, optional
        Grey values that are shown; None for the window of a DICOM file, or all values.

    Returns
    -------
    ndarray of shape (H, W, 3)
        RGB; uint8, or float32 in [0, 1] where the source has more than 8 bits. It is
        always a new, writable array.

    Raises
    ------
    BadCellError
        If the cell is missing, cannot be read, or is not one image. The message says
        the cell and what to do; the caller adds its row.

    Notes
    -----
    Transparent pixels are shown on white, EXIF rotation is applied, 16-bit grey is scaled, and
    of an animation the first frame is taken (of a Pillow image the current one). Pillow decodes
    colour images of 16 bits to 8. Without a limit of pixels, Pillow's own applies: twice
    ``PIL.Image.MAX_IMAGE_PIXELS``. A DICOM file of several frames is refused.

    Damage to the structure of a file is an error, and in PNG any damage to the pixels. Changed
    bytes within the compressed pixels of other formats change the picture without an error:
    libjpeg has warnings for some of them, which Pillow does not pass on.

    Examples
    --------
    >>> decode_image(np.array([[0, 255]], dtype="uint8")).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    try:
        return decode_source(image_source(cell), geometry, digest, max_pixels, window)
    except BadCellError as error:
        raise name_cell(cell, error) from error.__cause__


def decode_source(
    source: Source,
    geometry: Geometry | None,
    digest: bytes | None,
    max_pixels: int | None,
    window: Window | None = None,
) -> np.ndarray:
    """Return the pixels of what `image_source` returns; errors do not name the cell."""
    with warnings_ignored(module=r"PIL\."):
        planes = _planes(source, geometry, digest, max_pixels, window)
    return to_array(planes if geometry is None else [fit(plane, geometry) for plane in planes])


def _planes(
    source: Source,
    geometry: Geometry | None,
    digest: bytes | None,
    max_pixels: int | None,
    window: Window | None,
) -> Planes:
    if isinstance(source, np.ndarray):
        return array_planes(source, window)
    if isinstance(source, str):
        source = read_file(source, most_bytes(max_pixels))
        if digest is not None and content_digest(source) != digest:
            raise BadCellError("the file has changed since this call began; run it again")
    try:
        if isinstance(source, Image.Image):
            with _shared_images:
                image = _upright(source, None, max_pixels)
            return image_planes(image, window)
        if is_dicom(source):
            return array_planes(dicom_pixels(source, max_pixels, window))
        check_content(source, max_pixels)
        with Image.open(io.BytesIO(source), formats=decodable_formats()) as image:
            return image_planes(_upright(image, geometry, max_pixels), window)
    except BadCellError:
        raise
    except Exception as error:  # damaged data makes Pillow raise nearly anything
        raise BadCellError(_problem(error, source)) from error


def _problem(error: Exception, source: Image.Image | bytes | bytearray) -> str:
    """Return why an image cannot be decoded, and what to do."""
    reason = str(error) or type(error).__name__
    if isinstance(source, Image.Image):
        return f"cannot be decoded ({reason}); see whether its load() and its convert('RGB') work"
    if isinstance(error, Image.DecompressionBombError):
        return (
            f"{reason.rstrip('.')}; make it smaller, or raise both max_pixels and "
            "PIL.Image.MAX_IMAGE_PIXELS if you trust where it comes from"
        )
    guess = f"it seems to be {guess_content(source, decodable_formats())}"
    if isinstance(error, UnidentifiedImageError):
        return (
            f"not an image that can be decoded, {guess}; the formats are "
            f"{', '.join(decodable_formats())}, DICOM; open others yourself and pass arrays or "
            "PIL images"
        )
    return f"cannot be decoded ({reason}), {guess}; get the image anew, or drop the row"


@functools.cache
def decodable_formats() -> tuple[str, ...]:
    """Return Pillow's names of the formats that are decoded."""
    # Loading all of Pillow's plugins now also avoids a race of threads that would do so later.
    Image.init()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def image_extensions() -> frozenset[str]:
    """Return the file extensions of the formats that can be decoded, such as ".jpg"."""
    known = Image.registered_extensions()
    pictures = {extension for extension, name in known.items() if name in decodable_formats()}
    return frozenset(pictures | {".dcm", ".dicom"})


def _upright(image: Image.Image, geometry: Geometry | None, max_pixels: int | None) -> Image.Image:
    """Return a loaded copy with the EXIF rotation applied, at least as large as `geometry` needs.

    With `geometry`, the image may be changed, so it is None for an image of the user's.
    """
    if 0 in image.size:
        raise BadCellError(f"an image of {image.width}x{image.height} pixels has no pixels")
    check_pixels(image.size, max_pixels)
    if geometry is not None:
        reduce(image, geometry)
    image.load()
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF data; the pixels are still good
        return image.copy()
