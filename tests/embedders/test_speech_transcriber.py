"""`SpeechTranscriber`: real weights on sounds that a test can make, and a stub for what words need.

No recording of speech comes with a package of the development environment, so the word error rate
is measured by `benchmarks/speech.py`. Synthetic vowels make the model write something ("Ah."), once
its limit of no speech is lifted.
"""

import importlib.util
import json
import pickle
import shutil
from itertools import chain

import dask.dataframe as dd
import numpy as np
import pandas as pd
import polars as pl
import pytest
import soundfile
import torch
import transformers as hf
from joblib import parallel_config
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_checks

from sktransfer import SpeechTranscriber, TextEmbedder, cache_info, load, save
from sktransfer.backbones import bundled
from sktransfer.backbones.speech import Segment
from sktransfer.exceptions import (
    BackboneError,
    BadCellError,
    BadCellWarning,
    ColumnError,
    WeightsError,
)
from tests._tiny import voices
from tests.contracts.test_estimator_checks import WITHOUT_DATA

RATE = 16_000
FOLDER = bundled.folder_of("whisper-tiny.en", modality="audio")
MODULE = "sktransfer.backbones.speech._transcription"


def transcriber(**options):
    return SpeechTranscriber(**{"sampling_rate": RATE, "cache": False, **options})


@pytest.fixture
def anything(monkeypatch):
    """Let the model write down also where it hears no speech."""
    monkeypatch.setattr(f"{MODULE}._NO_SPEECH", 1.0)


@pytest.fixture
def calls(monkeypatch):
    """Replace the model by a rule; return the number of recordings of each call."""
    counts = []

    def rule(model, recordings, *, language, beam_size):
        counts.append(len(recordings))
        return [
            [Segment(0.0, 0.5, "loud" if np.abs(x).max() > 0.5 else "quiet"), Segment(0.5, 1, "né")]
            for x in recordings
        ]

    monkeypatch.setattr("sktransfer.backbones.transcribe", rule)
    return counts


def calls_column(n):
    """Return n sounds, every second of them loud."""
    rng = np.random.default_rng(0)
    return [rng.uniform(-1, 1, 800).astype(np.float32) * (1 if i % 2 else 0.3) for i in range(n)]


# Real weights ----------------------------------------------------------------------------------


def test_silence_noise_and_tones_are_the_empty_text():
    rng = np.random.default_rng(0)
    seconds = np.arange(2 * RATE) / RATE
    noises = [rng.normal(size=2 * RATE) * 10 ** (level / 20) for level in (-60, -30, -15)]
    tones = [a * np.sin(2 * np.pi * f * seconds) for f in (440, 2000) for a in (0.03, 1)]
    sweep = 0.3 * np.sin(2 * np.pi * (200 + 400 * seconds) * seconds)
    column = [np.zeros(2 * RATE), rng.normal(size=2 * RATE) * 1e-5, *noises, *tones, sweep]
    column += [np.full(RATE, 0.5), np.clip(rng.normal(size=RATE), -1, 1)]
    assert transcriber().fit_transform(column).tolist() == [""] * 12


@pytest.mark.usefixtures("anything")
def test_a_text_does_not_depend_on_its_neighbours_and_engines_agree():
    column = [*voices(3), np.zeros(RATE, np.float32)]
    model = transcriber(return_segments=True, beam_size=2).fit(column)
    rows = model.transform(column)
    assert rows.dtype == object
    assert rows[3] == []
    assert len({json.dumps(row) for row in rows}) > 1
    for start, end, text in chain.from_iterable(rows):
        assert 0 <= start <= end <= 0.5
        assert text == text.strip() != ""
    assert [model.transform([column[i]])[0] for i in (0, 2)] == rows[[0, 2]].tolist()
    other = clone(model).set_params(engine="transformers", batch_size=2).fit(column)
    assert other.transform(column[1::-1]).tolist() == rows[1::-1].tolist()
    assert other.fingerprint_ == model.fingerprint_


@pytest.mark.usefixtures("anything")
def test_a_local_folder_gives_the_same_text(tmp_path):
    column = voices(1)
    expected = transcriber(beam_size=1).fit_transform(column)
    folder = shutil.copytree(FOLDER, tmp_path / "model")
    model = transcriber(backbone=folder, beam_size=1).fit(column)
    assert model.transform(column).tolist() == expected.tolist()
    (folder / "config.json").write_text((folder / "config.json").read_text() + "\n")
    with pytest.raises(WeightsError, match="is not what this SpeechTranscriber was fitted with"):
        model.transform(column)


@pytest.fixture
def tiny(tmp_path):
    """Return a function that writes a tiny random Whisper model of transformers."""

    def tiny(vocab_size=51_864):
        torch.manual_seed(0)
        config = hf.WhisperConfig(
            vocab_size=vocab_size,
            d_model=16,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=16,
            decoder_ffn_dim=16,
            max_target_positions=32,
            pad_token_id=0,
        )
        hf.WhisperForConditionalGeneration(config).save_pretrained(tmp_path / "tiny")
        shutil.copy(FOLDER / "tokenizer.json", tmp_path / "tiny")
        return tmp_path / "tiny"

    return tiny


def test_a_folder_of_transformers_transcribes(tiny):
    model = transcriber(backbone=str(tiny()), engine="transformers").fit(voices(2))
    assert [type(text) for text in model.transform(voices(2))] == [str, str]
    with pytest.raises(BackboneError, match="engine='transformers', or convert it with ct2"):
        transcriber(backbone=tiny()).fit(voices(1))


def test_a_multilingual_model_detects_or_is_told_its_language(tiny):
    folder = tiny(vocab_size=51_865)
    column = voices(2)
    for language in (None, "fr"):
        model = transcriber(backbone=folder, engine="transformers", language=language)
        assert len(model.fit_transform(column)) == 2
    with pytest.raises(BackboneError, match=r"does not know language='xx'.*: en, zh, de,"):
        model.set_params(language="xx").transform(column)


def test_an_english_model_refuses_other_languages():
    with pytest.raises(BackboneError, match="knows English only: set language=None or 'en'"):
        transcriber(language="fr").fit(voices(1))
    assert transcriber(language="en").fit(voices(1)).transform([np.zeros(800)]).tolist() == [""]


# Models that cannot be used ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "engine", "message"),
    [
        ("whisper-huge", "ctranslate2", "There is no speech model 'whisper-huge'"),
        ("all-MiniLM-L6-v2", "ctranslate2", "is a backbone for text, and not for audio"),
        ("org/name", "ctranslate2", "With engine='ctranslate2' a model is bundled or a local"),
    ],
)
def test_a_name_that_is_no_speech_model_is_refused(name, engine, message):
    with pytest.raises(BackboneError, match=message):
        transcriber(backbone=name, engine=engine).fit(voices(1))


def test_a_model_of_another_kind_is_refused(tmp_path):
    hf.BertModel(
        hf.BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1, vocab_size=9)
    ).save_pretrained(tmp_path)
    with pytest.raises(BackboneError, match="of the type 'bert'; only Whisper models"):
        transcriber(backbone=tmp_path, engine="transformers").fit(voices(1))


@pytest.mark.parametrize("engine", ["ctranslate2", "transformers"])
def test_damaged_files_are_refused(tmp_path, engine):
    folder = shutil.copytree(FOLDER, tmp_path / "model")
    with (folder / "model.bin").open("r+b") as file:
        file.truncate(1_000_000)
    with pytest.raises(WeightsError, match="is no Whisper model of CTranslate2"):
        transcriber(backbone=folder, engine=engine).fit(voices(1))
    shutil.copy(FOLDER / "model.bin", folder)
    (folder / "tokenizer.json").write_text('{"version": "1.0"}')
    with pytest.raises(BackboneError, match=r"cannot be used as the tokenizer of a Whisper model"):
        transcriber(backbone=folder, engine=engine).fit(voices(1))


def test_without_the_extra_the_error_names_it(monkeypatch):
    found = importlib.util.find_spec
    hidden = {"ctranslate2", "faster_whisper"}
    monkeypatch.setattr(
        "sktransfer.backbones.speech._ctranslate2_speech.find_spec",
        lambda name: None if name in hidden else found(name),
    )
    with pytest.raises(ImportError, match=r"pip install 'sktransfer\[speech\]'"):
        transcriber().fit(voices(1))
    transcriber(engine="transformers").fit(voices(1))


def test_a_precision_that_the_engine_does_not_have_is_refused():
    with pytest.raises(BackboneError, match=r"precision='bfloat16' cannot be used.*float32"):
        transcriber(precision="bfloat16").fit(voices(1))
    assert transcriber(precision="auto").fit(voices(1)).fingerprint_


# The cache -------------------------------------------------------------------------------------


def test_each_distinct_recording_is_transcribed_once_ever(calls, cache_folder):
    column = calls_column(4)
    before = cache_info()
    model = SpeechTranscriber(sampling_rate=RATE)
    texts = model.fit_transform([*column, column[1], column[0]])
    quiet, loud = "quiet né", "loud né"
    assert texts.tolist() == [quiet, loud, quiet, loud, loud, quiet]
    assert sum(calls) == 4
    assert model.transform(column).tolist() == texts[:4].tolist()
    segments = model.set_params(return_segments=True).transform(column[:1])
    assert segments[0] == [(0.0, 0.5, "quiet"), (0.5, 1, "né")]
    assert sum(calls) == 4
    info = cache_info()
    assert info.rows == 4
    assert (info.asked - before.asked, info.computed - before.computed) == (11, 4)


@pytest.mark.parametrize(
    "options", [{"beam_size": 2}, {"language": "en"}, {"engine": "transformers"}]
)
def test_other_settings_have_transcripts_of_their_own(calls, cache_folder, options):
    column = calls_column(2)
    model = SpeechTranscriber(sampling_rate=RATE).fit(column)
    model.transform(column)
    model.set_params(**options).transform(column)
    assert sum(calls) == 4


@pytest.mark.parametrize("jobs", [None, 2])
def test_a_cross_validation_transcribes_each_row_once(calls, cache_folder, jobs):
    speech = SpeechTranscriber(sampling_rate=RATE)
    model = make_pipeline(speech, CountVectorizer(), LogisticRegression())
    with parallel_config("threading"):
        scores = cross_val_score(model, calls_column(6), [0, 1] * 3, cv=3, n_jobs=jobs)
    assert scores.tolist() == [1, 1, 1]
    assert 6 <= sum(calls) <= (6 if jobs is None else 12)


# Bad cells -------------------------------------------------------------------------------------


def test_a_bad_cell_raises_with_its_row(calls):
    with pytest.raises(BadCellError, match=r"row 1.*no such file.*on_error='nan'") as caught:
        transcriber().fit_transform([calls_column(1)[0], "nowhere.wav"])
    assert caught.value.row == 1


def test_with_on_error_nan_a_bad_cell_is_none_with_a_warning(calls):
    column = [calls_column(1)[0], None, b"no sound", "nowhere.wav"]
    with pytest.warns(BadCellWarning, match="3 of 4 rows are returned as None"):
        texts = transcriber(on_error="nan").fit_transform(column)
    assert texts.tolist() == ["quiet né", None, None, None]


def test_a_recording_that_is_too_long_is_a_bad_cell():
    with pytest.raises(BadCellError, match=r"3 seconds is longer than 2;"):
        transcriber(max_duration=2).fit_transform([np.zeros(3 * RATE)])


# The contract ----------------------------------------------------------------------------------


@pytest.mark.parametrize("check", WITHOUT_DATA)
def test_checks_that_need_no_data(check):
    getattr(estimator_checks, check)("SpeechTranscriber", SpeechTranscriber())


def test_the_container_does_not_matter(calls):
    column = calls_column(3)
    expected = ["quiet né", "loud né", "quiet né"]
    objects = np.empty(3, dtype=object)
    objects[:] = column
    for container in (column, objects, pd.Series(column), pd.DataFrame({"call": column})):
        assert transcriber().fit_transform(container).tolist() == expected
    assert transcriber().fit_transform(np.stack(column)).shape == (3,)
    with pytest.raises(ColumnError):
        transcriber().fit(pd.DataFrame({"a": column, "b": column}))


def test_the_name_is_that_of_the_column_or_text(calls):
    column = calls_column(2)
    model = transcriber().fit(column)
    assert model.get_feature_names_out().tolist() == ["text"]
    assert model.get_feature_names_out(["talk"]).tolist() == ["talk"]
    model.fit(pd.Series(column, name="call"))
    assert model.get_feature_names_out().tolist() == ["call"]
    with pytest.raises(NotFittedError):
        SpeechTranscriber().get_feature_names_out()
    with pytest.raises(NotFittedError):
        SpeechTranscriber().transform(column)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_set_output_gives_a_frame(calls, library):
    frame = transcriber().set_output(transform=library).fit_transform(calls_column(2))
    expected = pd.DataFrame if library == "pandas" else pl.DataFrame
    assert isinstance(frame, expected)
    assert list(frame["text"]) == ["quiet né", "loud né"]


def test_a_model_of_calls(calls, cache_folder):
    table = pd.DataFrame({"call": calls_column(12), "length": range(12)})
    target = [0, 1] * 6
    text = make_pipeline(SpeechTranscriber(sampling_rate=RATE), TextEmbedder())
    columns = ColumnTransformer([("call", text, "call")], remainder="passthrough")
    model = make_pipeline(columns, StandardScaler(), LogisticRegression())
    grid = {"columntransformer__call__speechtranscriber__beam_size": [1, 2]}
    search = GridSearchCV(model, grid, cv=2).fit(table, target)
    assert search.best_score_ == 1
    assert sum(calls) == 24  # every call once per beam size, whatever the folds
    names = search.best_estimator_[0].get_feature_names_out()
    assert names[0] == "call__call_0"
    assert names[-1] == "remainder__length"


def test_a_silent_call_is_an_empty_text_for_the_embedder():
    silence = [np.zeros(RATE)]
    model = make_pipeline(transcriber(), TextEmbedder(missing="empty", cache=False))
    rows = model.fit_transform(silence)
    np.testing.assert_allclose(rows, model[-1].transform([""]), rtol=1e-6)
    with pytest.raises(BadCellError, match=r"row 0: '': the text is missing; .*missing='empty'"):
        model.set_params(textembedder__missing="raise").fit_transform(silence)


def test_copies_and_files_give_the_same_texts(calls, tmp_path):
    column = calls_column(2)
    model = make_pipeline(transcriber(), CountVectorizer()).fit(column)
    expected = model.transform(column).toarray()
    save(model, tmp_path / "model.skt")
    assert (tmp_path / "model.skt").stat().st_size < 100_000
    for again in (pickle.loads(pickle.dumps(model)), load(tmp_path / "model.skt")):
        assert again[0].get_params() == model[0].get_params()
        np.testing.assert_array_equal(again.transform(column).toarray(), expected)
    with pytest.raises(BackboneError, match=r"model 'whisper-tiny\.en' cannot be packed"):
        save(model, tmp_path / "model.skt", standalone=True)


def test_a_bar_counts_the_rows_to_transcribe(calls, capsys):
    transcriber(verbose=1).fit_transform([*calls_column(2)] * 2)
    assert "SpeechTranscriber: 4 rows, 2 to compute" in capsys.readouterr().err


def test_a_lazy_column_gives_lazy_texts(calls, tmp_path):
    paths = [str(tmp_path / f"{i}.wav") for i in range(3)]
    for path, sound in zip(paths, calls_column(3), strict=True):
        soundfile.write(path, sound, RATE)
    column = dd.from_pandas(pd.Series(paths, name="call"), npartitions=2)
    texts = transcriber().fit_transform(column)
    assert not calls
    found = texts.compute(scheduler="synchronous")
    assert found.name == "call"
    assert found.tolist() == ["quiet né", "loud né", "quiet né"]
