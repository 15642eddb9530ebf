"""Features of a column of sounds."""

from dataclasses import replace
from typing import Any

from sktransfer._compat import StrOptions
from sktransfer._parameters import parameter, with_parameters
from sktransfer._public import public
from sktransfer.base import AudioColumnEstimator
from sktransfer.embedders._base_embedder import BaseEmbedder
from sktransfer.modalities.audio import AudioModality


@public
@with_parameters
class AudioEmbedder(AudioColumnEstimator, BaseEmbedder):
    """Transform sounds to features of a pretrained network, each distinct sound computed once.

    A column of sounds is a list, a pandas or polars Series, an object array, a DataFrame of one
    column, or, with `sampling_rate`, an array of shape (n, samples) or (n, channels, samples). A
    cell is a path, the bytes of a file, ``(rate, samples)``, a dict with ``array`` and
    ``sampling_rate``, or, with `sampling_rate`, an array. Files are wav, FLAC, Ogg
    (Vorbis, Opus), MP3, AIFF, AU and CAF.

    Parameters
    ----------
    backbone : str, Path or nn.Module, default="whisper-tiny.en"
        Name from `list_backbones`, Hugging Face id (``"org/name"``) of a Whisper, Wav2Vec2, HuBERT,
        WavLM, AST or CLAP model, local folder, a module of your own, or ``"log-mel"``: mean and
        standard deviation over time of 64 log-mel bands, the plain baseline.
    weights : "pretrained", None, str, Path or torchvision enum, default="pretrained"
        Weights of the backbone: "pretrained", a name of weights that the backbone's source knows,
        or a ``.safetensors`` or ``.pth`` file. None initializes the network at random from a fixed
        seed.
    layer : str or int, default="pooled"
        Output to use: "pooled", or the name or index of a stage.
    pooling : {"default", "mean", "max", "mean+std"}, default="default"
        How the output of a stage over time is reduced to one vector per row; "default" is the
        backbone's own pooling, for ``"whisper-tiny.en"`` the mean. "mean+std" appends the standard
        deviation.
    normalize : bool, default=False
        Whether to scale each row to unit length.
    sampling_rate : int or None, default=None
        Samples per second of arrays that come without a rate. Files and pairs have their own.
    max_duration : float or None, default=None
        Maximum duration of a recording in seconds. A longer one is a bad cell (see `on_error`).
        None: 4 hours.
    pad_clips : bool, default=False
        Whether to fill clips with silence up to the length that the backbone was trained on, 30
        seconds for Whisper; the silence is not pooled. Features of single words are better, at ten
        times the cost.
    batch_size : int or "auto", default="auto"
        Rows per forward pass; features do not depend on it. "auto" fills batches with recordings of
        similar length up to 20 seconds, and on a CPU computes several batches in parallel.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        Floating-point type of the computation. "auto" uses bfloat16 where the hardware supports it.
    device : str, default="auto"
        Torch device; "auto" uses a GPU if there is one.
    engine : {"torch", "openvino"}, default="torch"
        Runtime of the network. OpenVINO is faster on a CPU, after a conversion of some seconds that
        is stored in the cache; it requires ``pip install 'sktransfer[openvino]'``. See Notes.
    cache : bool, str or Path, default=True
        Where to cache features: True for the user's cache folder (or ``SKTRANSFER_CACHE``), False
        for no cache, or a folder.
    on_error : {"raise", "nan"}, default="raise"
        How to handle a cell that cannot be read, or whose features are not finite: raise an error
        that names its row, or return NaN for that row, with a warning.
    verbose : int, default=0
        Whether to show a progress bar of the rows to compute, where there are any.

    Attributes
    ----------
    n_features_in_ : int
        Always 1.
    feature_names_in_ : ndarray of str, shape (1,)
        Name of the column, if `fit` was given a DataFrame.
    fingerprint_ : str
        Digest of the backbone used in `fit`. Other weights are refused afterwards.

    See Also
    --------
    AudioClassifier : Fine-tuning on classes or labels.
    ImageEmbedder : Features of a column of images.
    TextEmbedder : Features of a column of texts.

    Notes
    -----
    Channels are averaged, and the result is resampled to the backbone's rate by soxr. Recordings
    longer than the backbone takes, 30 seconds for Whisper, are cut into chunks of similar length,
    and their features are the mean over the chunks.

    The layer matters: the middle layers of Whisper tell sources and speakers apart, the last ones
    words. Always compare with ``backbone="log-mel"``. With ``precision="float32"``, features of a
    clip filled by ``pad_clips=True`` equal those of transformers within 1e-4; without it, clips
    have their own length, which is ten times faster for short ones.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer import AudioEmbedder
    >>> seconds = np.arange(16_000) / 16_000
    >>> tones = [np.sin(2 * np.pi * pitch * seconds) for pitch in (220, 440)]
    >>> AudioEmbedder(sampling_rate=16_000, cache=False).fit_transform(tones).shape
    (2, 384)
    """

    backbone: Any = parameter(default="whisper-tiny.en", kw_only=False)
    pooling: str = parameter(StrOptions({"default", "mean", "max", "mean+std"}), default="default")
    pad_clips: bool = parameter("boolean", default=False)

    def _modality(self) -> AudioModality:
        return replace(super()._modality(), pad_clips=self.pad_clips, chunks=True)
