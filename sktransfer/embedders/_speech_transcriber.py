"""Texts of a column of recordings."""

from __future__ import annotations

import json
from dataclasses import replace
from numbers import Integral
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from sklearn.base import TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sktransfer import _runtime
from sktransfer._compat import (
    CallbackSupportMixin,
    Interval,
    StrOptions,
    gives_frames,
    with_callbacks,
)
from sktransfer._parameters import parameter, with_parameters
from sktransfer._public import public
from sktransfer.base import AudioColumnEstimator
from sktransfer.cache import open_cache, space_key
from sktransfer.columns import Column
from sktransfer.compute import CellErrors, Runner, TextPlan, digest_column
from sktransfer.embedders._progress import progress
from sktransfer.lazy import LazyMixin, OutputSpec, sample
from sktransfer.modalities.audio import AudioModality

if TYPE_CHECKING:
    from sktransfer.backbones import SpeechModel

# Part of the keys of the cache. Raise it whenever the same model gives other transcripts.
_VERSION = 1


@public
@with_parameters
class SpeechTranscriber(LazyMixin, CallbackSupportMixin, TransformerMixin, AudioColumnEstimator):
    """Transform recordings of speech to texts."""

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

    def fit(self, X: Any, y: Any = None) -> Self:
        """Validate the parameters and the column, and load the model; transcribe no row.

        Parameters
        ----------
        X : column of n sounds
            See the class.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self._fit_column(sample(X))
        return self

    @with_callbacks
    def fit_transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Fit to a column, and return its texts.

        Parameters
        ----------
        X : column of n sounds
            See the class.
        y : None
            Ignored.

        Returns
        -------
        ndarray of shape (n,), object
            As `transform` returns.
        """
        return self._transcribe(*self._fit_column(X), fitting=(X, y))

    def transform(self, X: Any) -> np.ndarray:
        """Return the texts of a column.

        Parameters
        ----------
        X : column of n sounds
            See the class.

        Returns
        -------
        ndarray of shape (n,), object
            One str per recording, empty where nothing is said. With ``return_segments=True``, a
            list of ``(start, end, text)``, in seconds. None for a bad cell with
            ``on_error="nan"``.
        """
        return self._transcribe(*self._check_call(X))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the name of the column of texts: that of the recordings, or "text".

        Parameters
        ----------
        input_features : array-like of one str, optional
            Name of the column, if `fit` got none.

        Returns
        -------
        ndarray of shape (1,), str objects
        """
        check_is_fitted(self)
        is_named = input_features is not None or self._seen_name is not None
        name = self._name_of_column(input_features) if is_named else "text"
        return np.array([name], dtype=object)

    def _fit_column(self, X: Any) -> tuple[Column, Any]:
        self._validate_params()
        column = self._modality().column(X)
        model = self._get_backbone()
        self._n_features_out = 1
        self.fingerprint_ = model.fingerprint
        self._remember(column)
        return column, model

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

    def _output_spec(self, method: str) -> OutputSpec:
        (name,) = self.get_feature_names_out()
        is_frame = gives_frames(self)
        return OutputSpec(np.dtype(object), [name] if is_frame else None, is_frame, name)

    def _transcribe(
        self, column: Column, model: Any, fitting: tuple[Any, Any] | None = None
    ) -> np.ndarray:
        from sktransfer.backbones import transcribe

        cache, modality = open_cache(self.cache), self._modality()
        errors = CellErrors(column, self.on_error)
        cells = digest_column(modality, column, cache, errors)
        plan = TextPlan(cache, self._space(model), cells.digests)
        runner = Runner(modality.bind(model), cells, errors, self._torch_device(), self.batch_size)

        def texts(recordings: Any) -> np.ndarray:
            found = transcribe(model, recordings, language=self.language, beam_size=self.beam_size)
            return np.array([json.dumps(segments) for segments in found], dtype=object)

        counts = {"asked": len(cells.digests), "todo": len(plan.todo)}
        with progress(self, fitting=fitting, **counts) as advance, _runtime.undisturbed():
            if plan.todo:
                plan.fill(runner.run(texts, plan.batches(runner)), advance)
        runner.warn("returned as None")
        return self._read(plan.rows())

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
            engine=_runtime.engine(self._torch_device()),
            library=model.library,
            preparation=self._modality().preparation(),
        )

    def _read(self, rows: np.ndarray) -> np.ndarray:
        found = np.empty(len(rows), dtype=object)
        for row, content in enumerate(rows):
            if content is not None:
                segments = [(start, end, text) for start, end, text in json.loads(content)]
                texts = " ".join(text for *_, text in segments)
                found[row] = segments if self.return_segments else texts
        return found

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
