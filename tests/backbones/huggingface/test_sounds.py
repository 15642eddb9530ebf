"""Sounds: features equal those of transformers' own models and feature extractors."""

from __future__ import annotations

import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from sktransfer import AudioClassifier, AudioEmbedder, load, save
from sktransfer.backbones import Backbone, get_backbone
from sktransfer.backbones.huggingface._families import FAMILIES
from sktransfer.exceptions import BackboneError, WeightsError
from tests._tiny import sounds
from tests.backbones import _huggingface_folders as folders
from tests.backbones._huggingface_folders import AUDIO, write_json

RATE = 16_000
PLAIN = {"sampling_rate": RATE, "cache": False}
# One of each kind of reader and of each way to train.
SOME = ["audio-spectrogram-transformer", "clap fusion", "hubert batch norm", "wavlm", "whisper"]


def slow(kind: str) -> Any:
    return pytest.param(kind, marks=pytest.mark.slow)


class Saved:
    """A folder, the model saved in it, and the backbone loaded from it."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.model, self.extractor = folders.save(kind, folder), AUDIO[kind][1]()
        self.backbone = get_backbone(folder, modality="audio")

    @torch.inference_mode()
    def plain(self, clip: np.ndarray) -> dict[str, torch.Tensor]:
        """Return the outputs of the model itself, of each stage and pooled, for one clip."""
        batch = self.extractor(clip, sampling_rate=RATE, return_tensors="pt")
        model, how = self.model, {"output_hidden_states": True}
        if self.kind == "whisper":
            output = model.encoder(batch["input_features"], **how)
        elif self.kind.startswith("clap"):
            batch["is_longer"] = batch["is_longer"].reshape(1, 1)
            output = getattr(model, "audio_model", model)(**batch, **how)
        else:
            output = model(batch["input_values"], **how)
        positions = self.backbone.recipe.positions(len(clip)) if self.kind == "whisper" else None
        hidden = [state[:, :positions] for state in output.hidden_states]
        hidden[-1] = output.last_hidden_state[:, :positions]
        states = dict(zip(self.backbone.stages, hidden, strict=True))
        if self.kind in ("clap", "clap fusion"):
            pooled = model.get_audio_features(**batch).pooler_output
        elif "pooler_output" in output:
            pooled = model(**batch).audio_embeds if "projected" in self.kind else output[1]
        else:
            pooled = hidden[-1].mean(1)
        return {"pooled": pooled.flatten(1), **states}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    made: dict[str, Saved] = {}

    def get(kind: str) -> Saved:
        if kind not in made:
            made[kind] = Saved(kind, tmp_path_factory.mktemp(kind))
        return made[kind]

    return get


def noise(*lengths: int) -> list[np.ndarray]:
    """Return clips with an offset, so that standardization matters."""
    rng = np.random.default_rng(0)
    return [(rng.normal(scale=0.1, size=n) + 0.02).astype(np.float32) for n in lengths]


def run(backbone: Backbone, clips: list[np.ndarray], **how: Any) -> np.ndarray:
    with torch.inference_mode():
        return backbone.extract(backbone.recipe.inputs(clips), **how).numpy()


def distance(found: np.ndarray, wanted: Any) -> float:
    """Return the largest difference, relative to the largest value."""
    wanted = np.asarray(wanted)
    assert found.shape == wanted.shape
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def over_time(state: torch.Tensor, prefix: int) -> dict[str, torch.Tensor]:
    """Return the poolings of a stage's output, of a map over both of its axes."""
    places = state.flatten(2).transpose(1, 2) if state.ndim == 4 else state[:, prefix:]
    mean, deviation = places.mean(1), places.std(1, correction=0)
    return {"mean": mean, "max": places.amax(1), "mean+std": torch.cat([mean, deviation], 1)}


@pytest.mark.parametrize("kind", AUDIO)
def test_features_equal_those_of_transformers(saved, kind):
    backbone = saved(kind).backbone
    padded = {"pad_clips": True} if kind == "whisper" else {}
    (clip,) = noise(9_000)
    plain = saved(kind).plain(clip)
    found = AudioEmbedder(saved(kind).folder, **padded, **PLAIN).fit_transform([clip])
    assert distance(found, plain.pop("pooled")) < 1e-6
    recipe = backbone.recipe.filled(bool(padded))
    for index, (name, state) in enumerate(plain.items()):
        for pooling, wanted in over_time(state, backbone.network.prefix_tokens).items():
            for layer in (name, index, index - len(plain)):
                with torch.inference_mode():
                    features = backbone.extract(recipe.inputs([clip]), layer=layer, pooling=pooling)
                assert distance(features.numpy(), wanted) < 1e-5


@pytest.mark.parametrize("kind", AUDIO)
def test_stages_are_named_in_order(saved, kind):
    backbone = saved(kind).backbone
    word = "stage" if kind.startswith("clap") else "layer"
    assert backbone.stages == ("embeddings", f"{word}1", f"{word}2", f"{word}3")
    assert backbone.modality == FAMILIES[kind.partition(" ")[0]].modality == "audio"
    has_projection = kind in ("clap", "clap fusion", "clap_audio_model projected")
    assert backbone.feature_size == (8 if has_projection else 32)


@pytest.mark.parametrize("kind", AUDIO)
def test_a_row_does_not_depend_on_its_neighbours(saved, kind):
    """Nor on the size of the batch; clips of one sample and around one window are usable."""
    backbone = saved(kind).backbone
    clips = noise(1, 399, 400, 401, 719, 720, 12_345, 9_000)
    for layer in ("pooled", 0, 2):
        alone = np.concatenate([run(backbone, [clip], layer=layer) for clip in clips])
        assert np.isfinite(alone).all()
        parts = [run(backbone, part, layer=layer) for part in (clips[:2], clips[2:5], clips[5:])]
        for found in (run(backbone, clips, layer=layer), np.concatenate(parts)):
            for row, wanted in zip(found, alone, strict=True):
                assert distance(row, wanted) < 1e-5


@pytest.mark.parametrize("kind", ["whisper", "clap fusion", "audio-spectrogram-transformer"])
def test_a_long_recording_is_the_mean_of_its_chunks(saved, kind):
    longest = saved(kind).backbone.recipe.longest
    (clip,) = noise(longest + 1)
    halves = [clip[: (longest + 2) // 2], clip[(longest + 2) // 2 :]]
    embedder = AudioEmbedder(saved(kind).folder, **PLAIN).fit([clip])
    wanted = embedder.transform(halves).mean(0)
    assert distance(embedder.transform([clip])[0], wanted) < 1e-5
    assert distance(embedder.transform(noise(longest)), embedder.transform([clip[:-1]])) < 1e-5


@pytest.mark.parametrize("kind", ["hubert", "wav2vec2 stable", "wavlm"])
def test_layers_are_not_left_out_and_inputs_not_masked_in_training(kind, tmp_path):
    folders.save(kind, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    still = {name: 0.0 for name in config if "dropout" in name}
    random = {"layerdrop": 1.0, "apply_spec_augment": True, "mask_time_prob": 0.9}
    write_json(tmp_path / "config.json", **{**config, **still, **random})
    backbone = get_backbone(tmp_path, modality="audio")
    inputs = backbone.recipe.inputs(noise(9_000, 6_000))
    with torch.no_grad():
        wanted = backbone.network(inputs)
        assert torch.allclose(backbone.network.train()(inputs), wanted, atol=1e-6)


@pytest.mark.parametrize("trainable", [1, "gradual"])
@pytest.mark.parametrize("kind", SOME)
def test_fits_with_kept_activations_equal_those_without(saved, kind, trainable):
    clips, options = sounds(6), {"max_epochs": 1, "batch_size": 3, "random_state": 0, **PLAIN}
    model = AudioClassifier(saved(kind).folder, trainable=trainable, **options)
    kept, computed = (
        model.set_params(reuse_activations=reuse).fit(clips, list("ababab")).predict_proba(clips)
        for reuse in (True, False)
    )
    np.testing.assert_array_equal(kept, computed)


@pytest.mark.parametrize("kind", ["whisper", "wav2vec2", "audio-spectrogram-transformer"])
def test_a_fit_on_kept_activations_equals_one_of_the_whole_network(saved, kind):
    clips, options = sounds(6), {"max_epochs": 1, "random_state": 0, **PLAIN}
    kept = AudioClassifier(saved(kind).folder, **options).fit(clips, list("ababab"))
    whole = AudioClassifier(saved(kind).folder, **options)
    whole._augmentation = lambda: lambda items, targets: (items, targets)
    whole.fit(clips, list("ababab"))
    np.testing.assert_allclose(kept.predict_proba(clips), whole.predict_proba(clips), atol=1e-4)


@pytest.mark.parametrize(
    ("kind", "trainable"),
    [("whisper", "all"), ("clap fusion", "lora"), ("wavlm", "all"), ("hubert batch norm", "lora")],
)
def test_all_layers_and_adapters_can_be_trained(saved, kind, trainable):
    clips = sounds(4)
    model = AudioClassifier(saved(kind).folder, trainable=trainable, max_epochs=2, **PLAIN)
    model.fit(clips, list("abab"))
    before = AudioEmbedder(saved(kind).folder, **PLAIN).fit_transform(clips)
    assert np.isfinite(model.predict_proba(clips)).all()
    assert distance(model.transform(clips), before) > 1e-6


@pytest.mark.parametrize("kind", ["whisper", "clap fusion", "hubert batch norm"])
def test_weights_stay_out_of_pickles_and_travel_in_standalone_files(saved, kind, tmp_path):
    folder, clips = tmp_path / "model", sounds(3)
    folders.save(kind, folder)
    embedder = AudioEmbedder(folder, **PLAIN).fit(clips)
    wanted = embedder.transform(clips)
    assert len(pickle.dumps(embedder)) < 1_000
    save(embedder, tmp_path / "file.sktransfer", standalone=True)
    folder.rename(tmp_path / "gone")
    np.testing.assert_array_equal(load(tmp_path / "file.sktransfer").transform(clips), wanted)


@pytest.mark.parametrize(
    "kind", ["whisper", "wav2vec2", "clap", slow("clap fusion"), slow("wavlm")]
)
def test_openvino_gives_the_features_of_torch(saved, kind):
    pytest.importorskip("openvino")
    wanted = AudioEmbedder(saved(kind).folder, **PLAIN).fit_transform(sounds(5))
    embedder = AudioEmbedder(saved(kind).folder, engine="openvino", **PLAIN)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it does not fall back to torch
        assert distance(embedder.fit_transform(sounds(5)), wanted) < 1e-4


@pytest.mark.parametrize("kind", SOME)
def test_bfloat16_is_near(saved, kind):
    wanted = run(saved(kind).backbone, sounds(3))
    embedder = AudioEmbedder(saved(kind).folder, precision="bfloat16", **PLAIN)
    assert distance(embedder.fit_transform(sounds(3)), wanted) < 0.1


def test_no_library_warns(saved):
    """Each layer of WavLM would warn of types that it has chosen itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AudioEmbedder(saved("wavlm").folder, **PLAIN).fit_transform(sounds(3))


def changed(kind: str, folder: Path, file: str, **settings: Any) -> Backbone:
    """Return the backbone of a model with other settings in one of its files."""
    folders.save(kind, folder)
    content = json.loads((folder / file).read_text())
    write_json(folder / file, **content | settings)
    return get_backbone(folder, modality="audio")


@pytest.mark.parametrize(
    ("kind", "setting", "value"),
    [
        ("whisper", "dither", 0.1),
        ("whisper", "padding_side", "left"),
        ("whisper", "padding_value", 1.0),
        ("whisper", "sampling_rate", 0),
        ("whisper", "sampling_rate", 16000.5),
        ("whisper", "feature_size", 80),
        ("whisper", "hop_length", 0),
        ("whisper", "chunk_length", -1),
        ("whisper", "n_fft", "400"),
        ("whisper", "feature_extractor_type", "SeamlessM4TFeatureExtractor"),
        ("wav2vec2", "feature_extractor_type", "OwnFeatureExtractor"),
        ("wav2vec2", "padding_side", "left"),
        ("wav2vec2", "feature_size", 2),
        ("wav2vec2", "do_normalize", "yes"),
        ("wav2vec2", "sampling_rate", True),
        ("audio-spectrogram-transformer", "num_mel_bins", 64),
        ("audio-spectrogram-transformer", "max_length", 128),
        ("audio-spectrogram-transformer", "std", 0),
        ("audio-spectrogram-transformer", "mean", "x"),
        ("clap", "feature_size", 32),
        ("clap", "truncation", "fusion"),
        ("clap fusion", "truncation", "rand_trunc"),
        ("clap", "padding", "repeat"),
        ("clap", "max_length_s", 0),
    ],
)
def test_settings_are_refused_by_file_and_name(kind, setting, value, tmp_path):
    with pytest.raises(BackboneError, match=rf"preprocessor_config\.json.* sets {setting} to"):
        changed(kind, tmp_path, "preprocessor_config.json", **{setting: value})


@pytest.mark.parametrize(
    ("kind", "setting"),
    [
        ("whisper", {"chunk_length": 1}),
        ("whisper", {"return_attention_mask": True}),
        ("whisper", {"n_fft": 512}),
        ("wav2vec2", {"do_normalize": False}),
        ("hubert", {"do_normalize": True}),
        ("hubert", {"return_attention_mask": False}),
        ("audio-spectrogram-transformer", {"do_normalize": False}),
        ("audio-spectrogram-transformer", {"mean": -3.0, "std": 2.0}),
        ("clap_audio_model", {"padding": "repeatpad"}),
        ("clap", {"fft_window_size": 512, "frequency_min": 50, "max_length_s": 1}),
    ],
)
def test_settings_are_honoured_as_by_transformers(kind, setting, tmp_path):
    backbone = changed(kind, tmp_path, "preprocessor_config.json", **setting)
    model = Saved.__new__(Saved)
    model.kind, model.backbone, model.model = kind, backbone, folders.build(kind)
    content = json.loads((tmp_path / "preprocessor_config.json").read_text())
    model.extractor = type(AUDIO[kind][1]())(**content)
    # Whisper's own forward pass takes its whole length only.
    (clip,) = noise(9_000)
    if setting == {"chunk_length": 1}:
        assert backbone.recipe.longest == RATE
        return
    with torch.inference_mode():
        inputs = backbone.recipe.filled(kind == "whisper").inputs([clip])
        assert distance(backbone.extract(inputs).numpy(), model.plain(clip)["pooled"]) < 1e-5


def test_settings_of_all_processors_in_one_file_are_read(tmp_path):
    folders.save("hubert", tmp_path)
    alone = get_backbone(tmp_path, modality="audio").recipe
    path = tmp_path / "preprocessor_config.json"
    write_json(tmp_path / "processor_config.json", feature_extractor=json.loads(path.read_text()))
    path.unlink()
    assert get_backbone(tmp_path, modality="audio").recipe == alone
    (tmp_path / "processor_config.json").unlink()
    assert get_backbone(tmp_path, modality="audio").recipe != alone  # the default standardizes


@pytest.mark.parametrize("kind", SOME)
def test_without_a_file_the_settings_are_those_that_the_model_needs(kind, tmp_path):
    folders.save(kind, tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    recipe = get_backbone(tmp_path, modality="audio").recipe
    assert recipe.sampling_rate == (48_000 if kind.startswith("clap") else RATE)


@pytest.mark.parametrize(
    ("kind", "setting", "message"),
    [
        ("wav2vec2", {"add_adapter": True}, "add_adapter"),
        ("wav2vec2", {"conv_stride": [5, 2]}, "conv"),
        ("wav2vec2", {"num_hidden_layers": 2}, "layers that it does not have"),
        ("whisper", {"encoder_layers": 4}, "missing: layers.3"),
        ("whisper", {"num_mel_bins": 80}, "feature_size"),
        ("whisper", {"d_model": "x"}, "model"),
        ("clap_audio_model", {"enable_fusion": True}, "truncation"),
        ("audio-spectrogram-transformer", {"max_length": 128}, "max_length"),
        ("audio-spectrogram-transformer", {"num_hidden_layers": 4}, "missing: "),
    ],
)
def test_a_config_that_does_not_fit_is_an_error(kind, setting, message, tmp_path):
    with pytest.raises((BackboneError, WeightsError), match=message):
        changed(kind, tmp_path, "config.json", **setting)


def test_a_model_of_sounds_is_refused_for_other_cells(saved):
    with pytest.raises(BackboneError, match="AudioEmbedder"):
        get_backbone(saved("whisper").folder, modality="image")
