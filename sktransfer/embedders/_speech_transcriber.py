"""Texts of a column of recordings."""

from __future__ import annotations

import json
from dataclasses import replace
from numbers import Integral
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer._compat import Interval, StrOptions
from sktransfer._parameters import parameter, with_parameters
from sktransfer._public import public
from sktransfer.base import AudioColumnEstimator
from sktransfer.cache import space_key
from sktransfer.embedders._base_text_transformer import BaseTextTransformer
from sktransfer.modalities.audio import AudioModality

if TYPE_CHECKING:
    from sktransfer.backbones import SpeechModel

# Part of the keys of the cache. Raise it whenever the same model gives other transcripts.
_VERSION = 2


@public
@with_parameters
class SpeechTranscriber(AudioColumnEstimator, BaseTextTransformer):
    """Transform recordings of speech to texts, each distinct recording transcribed once.

    A column of sounds is what `AudioEmbedder` takes, and the texts are a column for `TextEmbedder`
    and for vectorizers: ``make_pipeline(SpeechTranscriber(), TextEmbedder(missing="empty"),
    LogisticRegression())`` is a model of calls, of which some may be silent.

    Parameters
    ----------
    backbone : str or Path, default="whisper-tiny.en"
        ``"whisper-tiny.en"``, the folder of another Whisper model in the format of CTranslate2
        (with ``model.bin`` and ``tokenizer.json``) or of transformers, or, with
        ``engine="transformers"``, a Hugging Face id (``"org/name"``).
    sampling_rate : int or None, default=None
        Samples per second of arrays that come without a rate. Files and pairs have their own.
    max_duration : float or None, default=None
        Maximum duration of a recording in seconds. A longer one is a bad cell (see `on_error`).
        None: 4 hours.
    language : str or None, default=None
        Code of the language that is spoken, such as ``"fr"``. None: English for an English-only
        model; for a multilingual one it is detected in the first window of each recording with
        sound.
    beam_size : int, default=5
        Number of hypotheses of the search for the most probable transcript; 1 for greedy search.
    return_segments : bool, default=False
        Whether to return, in place of each text, a list of its segments, ``(start, end, text)``
        with times in seconds.
    batch_size : int or "auto", default="auto"
        Recordings per forward pass; the longest are batched first. "auto" fills batches up to 8
        windows of 30 seconds on a CPU, and 64 on a GPU.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        Floating-point type of the computation. "auto" uses bfloat16 where the hardware and the
        engine support it; CTranslate2 does so on GPUs only.
    device : str, default="auto"
        Torch device; "auto" uses a GPU if there is one.
    engine : {"ctranslate2", "transformers"}, default="ctranslate2"
        Library that runs the model. CTranslate2 is faster on a CPU; it requires ``pip install
        'sktransfer[speech]'``. See Notes.
    cache : bool, str or Path, default=True
        Where to cache transcripts: True for the user's cache folder (or ``SKTRANSFER_CACHE``),
        False for no cache, or a folder.
    on_error : {"raise", "nan"}, default="raise"
        How to handle a cell that cannot be read: raise an error that names its row, or return None
        for that row, with a warning.
    verbose : int, default=0
        Whether to show a progress bar of the rows to transcribe, where there are any.

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
    AudioEmbedder : Features of the sound itself.
    TextEmbedder : Features of the texts.

    Notes
    -----
    A Whisper model [1]_ reads windows of 30 seconds. Shorter recordings are filled up with silence:
    without it Whisper repeats itself, and the word error rate of short prompts is above 1. The next
    window starts where the last complete segment of the one before ends, so recordings of hours are
    transcribed whole. Windows do not see the text before them, and nothing is sampled: a text
    depends on its own recording only. A text that repeats itself (more than 2.4 times smaller when
    compressed) is searched for again without repetitions of four tokens.

    Nothing is said in a window of which no sample is more than 1/4096 (-72 dB of full scale) from
    the mean, or of which 90 % of the frames are a single tone, or where the model's probability of
    its token for no speech exceeds 0.5: silence, noise and tones of levels up to full scale become
    the empty text. This limit was measured with ``"whisper-tiny.en"``. `TextEmbedder` takes empty
    texts with ``missing="empty"``.

    In a `ColumnTransformer`, put a transcriber into a pipeline with what reads its texts, or set
    ``set_output(transform="pandas")``: an array of texts is one-dimensional.

    Music, cries and voices in the background can still make a model write what was not said, as can
    a language that it does not know: an English-only model writes English, whatever is spoken.

    References
    ----------
    .. [1] Radford et al., "Robust Speech Recognition via Large-Scale Weak Supervision", 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from sktransfer import SpeechTranscriber
    >>> silence = np.zeros(16_000)
    >>> SpeechTranscriber(sampling_rate=16_000, cache=False).fit_transform([silence])
    array([''], dtype=object)
    """

    backbone: Any = parameter(str, PathLike, default="whisper-tiny.en", kw_only=False)
    # The weights are those of the folder.
    weights: ClassVar[Any] = "pretrained"  # type: ignore[misc]
    engine: str = parameter(StrOptions({"ctranslate2", "transformers"}), default="ctranslate2")
    language: str | None = parameter(str, None, default=None)
    beam_size: int = parameter(Interval(Integral, 1, None, closed="left"), default=5)
    return_segments: bool = parameter("boolean", default=False)
    batch_size: int | str = parameter(
        StrOptions({"auto"}), Interval(Integral, 1, None, closed="left"), default="auto"
    )

    def _get_backbone(self) -> Any:
        from sktransfer.backbones import get_speech_model

        model = get_speech_model(
            self.backbone,
            engine=self.engine,
            device=self._torch_device(),
            precision=self.precision,
        )
        model.check_language(self.language)
        return model

    def _modality(self) -> AudioModality:
        return replace(super()._modality(), whole=True)

    def _compute(self, model: SpeechModel, inputs: Any) -> list[str]:
        from sktransfer.backbones import transcribe

        found = transcribe(model, inputs, language=self.language, beam_size=self.beam_size)
        return [json.dumps(segments) for segments in found]

    def _space(self, model: SpeechModel) -> bytes:
        """Return the key under which the cache stores these transcripts."""
        return space_key(
            kind="transcript",
            version=_VERSION,
            fingerprint=model.fingerprint,
            recipe=repr(model.recipe),
            language=self.language,
            beam_size=int(self.beam_size),
            precision=model.precision,
            engine=model.engine,
            library=model.library,
            preparation=self._modality().preparation(),
        )

    def _read(self, text: str) -> Any:
        segments = [(start, end, said) for start, end, said in json.loads(text)]
        return segments if self.return_segments else " ".join(said for *_, said in segments)
