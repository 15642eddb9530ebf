"""Texts of a column of texts."""

from __future__ import annotations

from numbers import Integral, Real
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar

from sktransfer._compat import Interval, StrOptions
from sktransfer._parameters import parameter, with_parameters
from sktransfer._public import public
from sktransfer.base import TextColumnEstimator
from sktransfer.cache import space_key
from sktransfer.embedders._base_text_transformer import BaseTextTransformer
from sktransfer.modalities.text import InstructedTexts

if TYPE_CHECKING:
    from sktransfer.backbones import GenerationModel

# Part of the keys of the cache. Raise it whenever the same model gives other texts.
_VERSION = 2
# Parameters that are settings of `generate`, and their types: it refuses those of NumPy.
_SETTINGS = {"max_new_tokens": int, "num_beams": int}
_OF_SAMPLING = {"temperature": float, "top_k": int, "top_p": float}


@public
@with_parameters
class TextGenerator(TextColumnEstimator, BaseTextTransformer):
    """Transform texts to texts that a model writes: translations, summaries, answers.

    Each distinct text goes through the model once; the texts are cached. They are a column for
    `TextEmbedder` and for vectorizers: ``make_pipeline(TextGenerator(folder), TextEmbedder(),
    LogisticRegression())`` classifies translations.

    Parameters
    ----------
    backbone : str or Path
        Local folder of a model that writes texts, or Hugging Face id (``"org/name"``).
    temperature : float or None, default=None
        With ``do_sample=True``, divides the scores of tokens before the softmax: below 1, probable
        tokens are drawn more often. None: that of the model.
    max_length : int or None, default=None
        Maximum number of tokens of a text with its prompt. None: the number that the files of the
        model state, and at most the number for which it has positions.
    prompt : str or None, default=None
        Text put before each text, such as ``"summarize: "``, or around it: ``{}`` is the place of
        the text. None: no text.
    long_texts : {"truncate", "raise"}, default="truncate"
        How to handle texts of more than `max_length` tokens: use only their start, with the whole
        prompt and a warning that gives their number, or treat them as bad cells (see `on_error`).
    chat : "auto" or bool, default="auto"
        Whether to put each text into the chat template of the model. "auto": if it has one and
        continues texts.
    source_language : str or None, default=None
        Code of the language of the texts, for models of many languages: "deu_Latn" of NLLB, "de" of
        M2M100, "de_DE" of mBART. None: the one that the tokenizer's files state.
    target_language : str or None, default=None
        Code of the language to write, as for `source_language`. None: the one that the files of the
        model state; an mBART whose files state none begins with the code that is most probable to
        it.
    max_new_tokens : int, default=128
        Maximum number of tokens to write.
    num_beams : int or None, default=1
        Number of hypotheses of the search for the most probable text; 1 for greedy search. None:
        that of the model.
    do_sample : bool, default=False
        Whether to draw tokens by their probability in place of taking the most probable ones.
    top_k : int or None, default=None
        With ``do_sample=True``, number of the most probable tokens to draw from. None: that of the
        model, or 50.
    top_p : float or None, default=None
        With ``do_sample=True``, draws from the most probable tokens whose probabilities sum to
        this. None: that of the model, or all.
    stop : str, list of str or None, default=None
        Strings at the first of which a text ends, without them.
    batch_size : int or "auto", default="auto"
        Texts per forward pass; the longest are batched first. "auto" fills batches up to a number
        of tokens. With ``do_sample=True``, texts are written one by one.
    precision : {"float32", "bfloat16", "auto"}, default="float32"
        Floating-point type of the computation. "auto" uses bfloat16 where the hardware supports it.
    device : str, default="auto"
        Torch device; "auto" uses a GPU if there is one.
    cache : bool, str or Path, default=True
        Where to cache texts: True for the user's cache folder (or ``SKTRANSFER_CACHE``), False for
        no cache, or a folder.
    on_error : {"raise", "nan"}, default="raise"
        How to handle a cell that is not a text: raise an error that names its row, or return None
        for that row, with a warning.
    missing : {"raise", "nan", "empty"}, default="raise"
        How to handle None, NaN and blank texts: as cells that are not texts (see `on_error`);
        return None for that row, without a warning; or as the empty text, in its prompt.
    random_state : int, default=0
        Seed of the random numbers of ``do_sample=True``.
    verbose : int, default=0
        Whether to show a progress bar of the rows to write, where there are any.

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
    SpeechTranscriber : Texts of recordings.
    TextEmbedder : Features of texts.

    Notes
    -----
    A model is one of transformers, with an encoder and a decoder (MarianMT, T5, BART, M2M100) or a
    decoder alone (GPT-2, Llama, Qwen). What its generation_config.json states is used, such as
    ``num_beams``, where a parameter here is None; of lengths, `max_new_tokens` alone counts. The
    tokenizers of MarianMT need ``pip install 'sktransfer[translation]'``.

    Without sampling, the text of a row is that of the row alone: in float32 it does not depend on
    the batch, as far as two tokens do not have the same probability to the last digits. With
    ``do_sample=True`` rows are written one by one, and the random numbers of each depend on
    `random_state` and its tokens only.

    Special tokens that are typed in a text, such as ``</s>``, are read as plain text, with a space
    after their first character; those in `prompt` are special, as ``">>fra<< "`` of MarianMT.

    A chat template is run by Jinja in its sandbox, without the date of the day, and with the text
    in its prompt as the only message of the user.

    Examples
    --------
    >>> from sktransfer import TextGenerator
    >>> translate = TextGenerator("models/opus-mt-en-de")  # doctest: +SKIP
    >>> translate.fit_transform(["Good morning."]).tolist()  # doctest: +SKIP
    ['Guten Morgen.']
    """

    backbone: Any = parameter(str, PathLike, kw_only=False)
    # The weights are those of the folder.
    weights: ClassVar[Any] = "pretrained"  # type: ignore[misc]
    prompt: str | None = parameter(str, None, default=None)
    chat: bool | str = parameter("boolean", StrOptions({"auto"}), default="auto")
    long_texts: str = parameter(StrOptions({"truncate", "raise"}), default="truncate")
    source_language: str | None = parameter(str, None, default=None)
    target_language: str | None = parameter(str, None, default=None)
    max_new_tokens: int = parameter(Interval(Integral, 1, None, closed="left"), default=128)
    num_beams: int | None = parameter(Interval(Integral, 1, None, closed="left"), None, default=1)
    do_sample: bool = parameter("boolean", default=False)
    temperature: float | None = parameter(
        Interval(Real, 0, None, closed="neither"), None, default=None
    )
    top_k: int | None = parameter(Interval(Integral, 1, None, closed="left"), None, default=None)
    top_p: float | None = parameter(Interval(Real, 0, 1, closed="right"), None, default=None)
    stop: str | list[str] | None = parameter(str, list, tuple, None, default=None)
    random_state: int = parameter(Interval(Integral, 0, 2**32, closed="left"), default=0)
    batch_size: int | str = parameter(
        StrOptions({"auto"}), Interval(Integral, 1, None, closed="left"), default="auto"
    )

    def _get_backbone(self) -> Any:
        from sktransfer.backbones import get_generation_model

        device = self._torch_device()
        model = get_generation_model(self.backbone, device=device, precision=self.precision)
        self._modality().bind(model)  # refuses parameters that do not fit it
        model.check_languages(self.source_language, self.target_language)
        odd = [stop for stop in self._stops() if not isinstance(stop, str) or not stop]
        if odd:
            raise ValueError(f"stop must be strings of at least one character, got {odd[0]!r}.")
        return model

    def _modality(self) -> InstructedTexts:
        return InstructedTexts(
            self.max_length,
            self.missing,
            self.prompt,
            self.long_texts,
            chat=self.chat,
            new_tokens=int(self.max_new_tokens),
            language=self.source_language,
        )

    def _compute(self, model: GenerationModel, inputs: Any) -> list[str]:
        seed = int(self.random_state) if self.do_sample else None
        return model.write(inputs, random_state=seed, **self._settings())

    def _settings(self) -> dict[str, Any]:
        """Return settings of `generate` that are used, as plain numbers."""
        kinds = _SETTINGS | (_OF_SAMPLING if self.do_sample else {})
        given = {name: (getattr(self, name), kind) for name, kind in kinds.items()}
        found = {name: None if v is None else kind(v) for name, (v, kind) in given.items()}
        return found | {"target_language": self.target_language}

    def _read(self, text: str) -> str:
        """Return a text up to the first stop; one of spaces is none before the first word."""
        start = len(text) - len(text.lstrip())
        begins = {stop: 0 if stop.strip() else start for stop in self._stops()}
        ends = [place for stop in begins if (place := text.find(stop, begins[stop])) >= 0]
        return text[: min(ends, default=len(text))].strip()

    def _stops(self) -> list[str]:
        return [self.stop] if isinstance(self.stop, str) else list(self.stop or ())

    def _space(self, model: GenerationModel) -> bytes:
        """Return the key under which the cache stores these texts."""
        modality = self._modality()
        return space_key(
            kind="generated",
            version=_VERSION,
            fingerprint=model.fingerprint,
            recipe=repr(modality.recipe(model)),
            settings=repr(self._settings()),
            random_state=int(self.random_state) if self.do_sample else None,
            precision=model.precision,
            engine=model.engine,
            library=model.library,
            preparation=modality.preparation(),
        )
