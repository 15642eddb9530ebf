"""Exported weights are opened by the library that the network is from, and give equal outputs."""

import copy
import json

import numpy as np
import pytest
import timm
import torch
import torchvision
import transformers
from safetensors import safe_open
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

from sktransfer import (
    AudioClassifier,
    AudioEmbedder,
    ImageClassifier,
    ImageEmbedder,
    ImageRegressor,
    TextClassifier,
    TextEmbedder,
    TextRegressor,
    export_weights,
)
from sktransfer.backbones import ImageRecipe
from sktransfer.exceptions import BackboneError, LeftOutWarning, PersistenceError
from sktransfer.training.heads import NoHead
from tests._tiny import sounds, texts
from tests.backbones import _huggingface_folders as folders
from tests.persistence._forging import COLUMN

QUICK = {"max_epochs": 2, "lr": 1e-3, "random_state": 0, "cache": False}
SIDES = ["left", "right"] * 3
WORDS = ["alpha beta gamma", "delta", "epsilon zeta eta theta", "mu mu", "beta", "kappa lambda"]
LABELS = np.array([[0, 1, 1], [1, 0, 0]] * 3)


def cells(estimator, n=3):
    """Return random network inputs of the size that an estimator was fitted with."""
    recipe = estimator._modality().recipe(estimator._fitted_backbone())
    return torch.randn(n, *recipe.blank(1).shape[1:], generator=torch.Generator().manual_seed(0))


def check(found, expected):
    found, expected = (torch.as_tensor(np.asarray(values)) for values in (found, expected))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * float(expected.abs().max()))


def outputs(estimator, inputs):
    with torch.inference_mode():
        return estimator.module_.eval()(inputs)


def run(model, inputs):
    with torch.inference_mode():
        return model.eval()(inputs)


def metadata(path):
    with safe_open(path, "pt") as file:
        return file.metadata()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "network.safetensors"


@pytest.fixture(scope="module")
def lite0():
    return ImageClassifier(trainable=2, **QUICK).fit(COLUMN, SIDES)


@pytest.fixture(scope="module")
def minilm():
    return TextClassifier(trainable=1, max_length=64, **QUICK).fit(texts(6), SIDES)


# torchvision, timm and modules of the user's: one file --------------------------------------------


def test_timm_loads_the_bundled_network_with_its_classes(lite0, path):
    export_weights(lite0, path)
    model = timm.create_model("tf_efficientnet_lite0", num_classes=2, checkpoint_path=path)
    check(run(model, cells(lite0)), outputs(lite0, cells(lite0)))
    stated = metadata(path)
    assert json.loads(stated["classes"]) == ["left", "right"]
    assert json.loads(stated["recipe"])["size"] == [224, 224]


@pytest.mark.parametrize(
    ("backbone", "trainable"),
    [
        ("timm:test_resnet", "all"),
        ("timm:test_resnet", "lora"),
        ("timm:test_vit", 1),
        ("timm:test_vit", "lora"),
        ("timm:test_efficientnet", "head"),
    ],
)
def test_timm_loads_its_own_networks(backbone, trainable, path):
    fitted = ImageClassifier(backbone, weights=None, trainable=trainable, **QUICK)
    export_weights(fitted.fit(COLUMN, LABELS), path)
    name = backbone.removeprefix("timm:")
    model = timm.create_model(name, num_classes=3, checkpoint_path=path)
    check(run(model, cells(fitted)), outputs(fitted, cells(fitted)))


def test_torchvision_loads_its_own_network_with_values_in_their_units(path):
    fitted = ImageRegressor("resnet18", weights=None, trainable=1, image_size=64, **QUICK)
    y = np.arange(12.0).reshape(6, 2) * [1, 1000] + 100
    export_weights(fitted.fit(COLUMN, y), path)
    model = torchvision.models.resnet18(num_classes=2)
    model.load_state_dict(load_file(path))
    values = outputs(fitted, cells(fitted)).numpy()
    check(run(model, cells(fitted)).numpy().astype(float), fitted._target.decode(values))
    assert "classes" not in metadata(path)


def test_a_head_without_a_place_is_left_out_with_a_warning(path):
    fitted = ImageClassifier("squeezenet1_1", weights=None, **QUICK).fit(COLUMN, SIDES)
    with pytest.warns(LeftOutWarning, match="no linear layer in its place"):
        export_weights(fitted, path)
    model = torchvision.models.squeezenet1_1()
    found = model.load_state_dict(load_file(path), strict=False)
    assert {*found.missing_keys} == {"classifier.1.weight", "classifier.1.bias"}
    model.classifier = nn.Identity()
    features = run(model, cells(fitted)).unflatten(1, (512, -1)).mean(2)
    with torch.inference_mode():
        check(features, fitted.module_.features(cells(fitted)))


@pytest.mark.parametrize("trainable", [1, "lora"])
def test_a_module_has_the_names_of_its_own_state(trainable, path):
    module = nn.Sequential(nn.Conv2d(3, 8, 7, stride=8), nn.ReLU(), nn.Conv2d(8, 4, 1))
    fitted = ImageClassifier(module, trainable=trainable, image_size=64, **QUICK)
    fitted.fit(COLUMN, SIDES)
    with pytest.warns(LeftOutWarning):
        export_weights(fitted, path)
    other = copy.deepcopy(module)
    other.load_state_dict(load_file(path))
    features = run(other, cells(fitted)).mean((2, 3))
    with torch.inference_mode():
        check(features, fitted.module_.eval().features(cells(fitted)))


@pytest.mark.parametrize("library", ["timm", "torchvision", "transformers"])
def test_a_whole_model_as_a_module_keeps_its_names(library, path):
    torch.manual_seed(0)
    if library == "timm":
        model = timm.create_model("test_vit", num_classes=5)
    elif library == "torchvision":
        model = torchvision.models.shufflenet_v2_x0_5(num_classes=5)
    else:
        model = transformers.ViTForImageClassification(
            transformers.ViTConfig(**folders._PATCHES, num_labels=5)
        )
        model.recipe = ImageRecipe(size=(32, 32), fixed_size=True)
    fitted = ImageClassifier(model, trainable=1, **QUICK).fit(COLUMN, SIDES)
    export_weights(fitted, path)
    other = copy.deepcopy(model)
    (name,) = (n for n, part in model.named_modules() if getattr(part, "out_features", 0) == 5)
    other.set_submodule(name, nn.Linear(model.get_submodule(name).in_features, 2))
    other.load_state_dict(load_file(path))
    found = run(other, cells(fitted))
    check(getattr(found, "logits", found), outputs(fitted, cells(fitted)))


# Hugging Face and sentence-transformers: a folder -------------------------------------------------


def test_sentence_transformers_opens_the_bundled_network(minilm, tmp_path):
    export_weights(minilm, tmp_path / "minilm")
    model, column = SentenceTransformer(str(tmp_path / "minilm"), device="cpu"), texts(6)
    check(model.encode(column), minilm.transform(column))
    assert model.max_seq_length == 64
    assert [type(part).__name__ for part in model] == ["Transformer", "Pooling", "Normalize"]


def test_transformers_opens_the_bundled_network_with_its_classes(minilm, tmp_path):
    export_weights(minilm, tmp_path / "minilm")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "minilm")
    model = transformers.AutoModel.from_pretrained(tmp_path / "minilm").eval()
    assert model.config.id2label == {0: "left", 1: "right"}
    assert model.config.label2id == {"left": 0, "right": 1}
    assert tokenizer.model_max_length == 64
    given = tokenizer(texts(6), padding=True, truncation=True, return_tensors="pt")
    with torch.inference_mode():
        tokens, mask = model(**given).last_hidden_state, given["attention_mask"].unsqueeze(2)
        features = nn.functional.normalize((tokens * mask).sum(1) / mask.sum(1))
        head = load_file(tmp_path / "minilm" / "head.safetensors")
        logits = features @ head["weight"].T + head["bias"]
    check(features, minilm.transform(texts(6)))
    np.testing.assert_allclose(logits.softmax(1), minilm.predict_proba(texts(6)), atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "trainable"),
    [("distilbert", "all"), ("roberta", "lora"), ("gpt2", 1), ("t5", "all"), ("qwen3", "lora")],
)
def test_a_folder_of_texts_is_opened_again(kind, trainable, tmp_path):
    folders.save(kind, tmp_path / "given")
    fitted = TextRegressor(str(tmp_path / "given"), trainable=trainable, **QUICK)
    fitted.fit(WORDS, np.arange(6.0))
    export_weights(fitted, tmp_path / "made")
    expected = fitted.transform(WORDS)
    model = SentenceTransformer(str(tmp_path / "made"), device="cpu")
    check(model.encode(WORDS), expected)
    check(TextEmbedder(tmp_path / "made", cache=False).fit_transform(WORDS), expected)
    head = load_file(tmp_path / "made" / "head.safetensors")
    values = expected.astype(float) @ head["weight"].numpy()[0] + head["bias"].numpy()
    check(values, fitted.predict(WORDS))


def test_all_steps_of_sentence_transformers_are_written(tmp_path):
    from sentence_transformers import models

    folders.save("bert", tmp_path / "encoder")
    encoder = models.Transformer(str(tmp_path / "encoder"), max_seq_length=12, do_lower_case=True)
    parts = [models.Pooling(32, pooling_mode=("mean", "max")), models.Dense(64, 16)]
    parts += [models.LayerNorm(16), models.Normalize()]
    given = SentenceTransformer(
        modules=[encoder, *parts], prompts={"q": "alpha "}, default_prompt_name="q", truncate_dim=7
    )
    given.save(str(tmp_path / "given"))
    fitted = TextClassifier(str(tmp_path / "given"), trainable="all", **QUICK).fit(WORDS, SIDES)
    export_weights(fitted, tmp_path / "made")
    made = SentenceTransformer(str(tmp_path / "made"), device="cpu")
    column = [word.upper() for word in WORDS]
    assert made.encode(column).shape == (6, 7)
    check(made.encode(column), fitted.transform(column))


@pytest.mark.parametrize("kind", ["vit", "convnext", "swin"])
def test_transformers_own_classifier_gives_the_probabilities(kind, tmp_path):
    folders.save(kind, tmp_path / "given")
    fitted = ImageClassifier(str(tmp_path / "given"), trainable="all", **QUICK).fit(COLUMN, SIDES)
    export_weights(fitted, tmp_path / "made")
    classifier = transformers.pipeline("image-classification", str(tmp_path / "made"), device="cpu")
    from PIL import Image

    found = [classifier(Image.fromarray(image)) for image in COLUMN]
    scores = [
        [row["score"] for row in sorted(rows, key=lambda row: row["label"])] for rows in found
    ]
    np.testing.assert_allclose(scores, fitted.predict_proba(COLUMN), atol=1e-5)
    assert not (tmp_path / "made" / "head.safetensors").exists()


@pytest.mark.parametrize("kind", ["clip", "dinov2", "siglip"])
def test_a_head_that_transformers_cannot_express_is_in_a_file(kind, tmp_path):
    folders.save(kind, tmp_path / "given")
    fitted = ImageClassifier(str(tmp_path / "given"), trainable=1, **QUICK).fit(COLUMN, SIDES)
    export_weights(fitted, tmp_path / "made")
    features = ImageEmbedder(tmp_path / "made", cache=False).fit_transform(COLUMN)
    head = load_file(tmp_path / "made" / "head.safetensors")
    logits = torch.from_numpy(features) @ head["weight"].T + head["bias"]
    np.testing.assert_allclose(logits.softmax(1), fitted.predict_proba(COLUMN), atol=1e-5)
    assert transformers.AutoModel.from_pretrained(tmp_path / "made").config.id2label[1] == "right"


# Estimators ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("trainable", [1, "lora"])
def test_a_backbone_that_is_an_estimator_has_the_source_of_its_own(trainable, path):
    first = ImageClassifier("timm:test_vit", weights=None, trainable="lora", **QUICK)
    first.fit(COLUMN, np.arange(6))
    second = ImageClassifier(FrozenEstimator(first), trainable=trainable, **QUICK)
    export_weights(FrozenEstimator(second.fit(COLUMN, SIDES)), path)
    model = timm.create_model("test_vit", num_classes=2, checkpoint_path=path)
    check(run(model, cells(second)), outputs(second, cells(second)))


@pytest.mark.parametrize("head", [NoHead(1280), nn.Linear(1280, 8)])
def test_a_network_without_a_target_is_written_without_a_head(head, path, lite0):
    pretrained = copy.deepcopy(lite0)
    pretrained.module_.head, pretrained._target = head, None
    export_weights(pretrained, path)
    model = timm.create_model("tf_efficientnet_lite0", num_classes=0, checkpoint_path=path)
    with torch.inference_mode():
        check(model.eval()(cells(lite0)), lite0.module_.eval().features(cells(lite0)))


def test_what_has_no_trained_network_is_refused_with_advice(path, lite0):
    with pytest.raises(NotFittedError):
        export_weights(ImageClassifier(), path)
    embedder = ImageEmbedder().fit(COLUMN)
    with pytest.raises(PersistenceError, match=r"of its backbone, 'efficientnet_lite0', as they"):
        export_weights(embedder, path)
    for other in (make_pipeline(lite0), GridSearchCV(lite0, {"lr": [1]}), None):
        with pytest.raises(PersistenceError, match=r"pass the one in it: pipeline\[-1\]"):
            export_weights(other, path)
    assert not path.exists()


def test_a_backbone_of_an_unknown_source_is_refused(path):
    from tests._estimators import NumericClassifier

    fitted = NumericClassifier(**QUICK).fit(np.random.default_rng(0).random((6, 4)), SIDES)
    with pytest.raises(BackboneError, match="how its source names the weights is not known"):
        export_weights(fitted, path)


def test_a_table_of_token_vectors_is_refused_and_nothing_remains(tmp_path):
    pass


# Paths --------------------------------------------------------------------------------------------


def test_a_path_of_another_form_is_refused(lite0, minilm, tmp_path):
    with pytest.raises(PersistenceError, match=r"exported as a file that ends in \.safetensors"):
        export_weights(lite0, tmp_path / "network.pth")
    with pytest.raises(PersistenceError, match="exported as a folder"):
        export_weights(minilm, tmp_path / "network.safetensors")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(PersistenceError, match="pass the path of a folder"):
        export_weights(minilm, tmp_path / "file")
    with pytest.raises(PersistenceError, match="pass the path of a file"):
        export_weights(lite0, tmp_path / "folder.safetensors")
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_is_replaced_only_by_the_same_files(minilm, tmp_path):
    folder = tmp_path / "minilm"
    export_weights(minilm, folder)
    (folder / "config.json").write_text("damaged")
    export_weights(minilm, folder)
    assert json.loads((folder / "config.json").read_text())["model_type"] == "bert"
    (folder / "README.md").write_text("mine")
    with pytest.raises(PersistenceError, match=r"has other files .* 'README\.md'"):
        export_weights(minilm, folder)
    assert list(tmp_path.iterdir()) == [folder]
    assert (folder / "README.md").read_text() == "mine"


@pytest.mark.parametrize("last", ["save_file", "save_tokenizer", "_write_steps"])
def test_an_error_leaves_the_older_folder_unchanged(last, minilm, tmp_path, monkeypatch):
    from sktransfer.backbones.huggingface import _write_folder

    folder = tmp_path / "minilm"
    export_weights(minilm, folder)
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_write_folder, last, full)
    for place in (folder, tmp_path / "new"):
        with pytest.raises(OSError, match="No space left"):
            export_weights(minilm, place)
    assert list(tmp_path.iterdir()) == [folder]
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_nothing_is_changed_or_printed(lite0, minilm, tmp_path, capfd):
    before = lite0.predict_proba(COLUMN), minilm.predict_proba(texts(6)), torch.get_rng_state()
    export_weights(lite0, tmp_path / "a.safetensors")
    export_weights(minilm, tmp_path / "b")
    after = lite0.predict_proba(COLUMN), minilm.predict_proba(texts(6)), torch.get_rng_state()
    assert all(np.array_equal(one, other) for one, other in zip(before, after, strict=True))
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_is_missing_is_named(tmp_path):
    classifier = ImageClassifier("resnet18", weights=None, image_size=32, **QUICK)
    classifier.fit(COLUMN, SIDES)
    (tmp_path / "file").touch()
    for folder in ("none", "file"):
        path = tmp_path / folder / "network.safetensors"
        with pytest.raises((FileNotFoundError, NotADirectoryError)) as caught:
            export_weights(classifier, path)
        assert caught.value.filename == str(path)


def sounds_of(kind, tmp_path, clips):
    """Return a classifier of sounds, and the folder of its exported network."""
    folders.save(kind, tmp_path / "given")
    fitted = AudioClassifier(
        str(tmp_path / "given"), trainable="all", sampling_rate=16_000, **QUICK
    ).fit(clips, ["a", "b"])
    export_weights(fitted, tmp_path / "made")
    return fitted, tmp_path / "made"


def logits_of(folder, features):
    head = load_file(folder / "head.safetensors")
    return features @ head["weight"].T + head["bias"]


@pytest.mark.parametrize(
    "kind", ["audio-spectrogram-transformer", "hubert batch norm", "wav2vec2", "wavlm stable"]
)
def test_a_folder_of_sounds_is_opened_by_transformers(kind, tmp_path):
    fitted, folder = sounds_of(kind, tmp_path, sounds(2))
    model = transformers.AutoModel.from_pretrained(folder)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    for clip, features, wanted in zip(
        sounds(2), fitted.transform(sounds(2)), fitted.predict_proba(sounds(2)), strict=True
    ):
        batch = extractor(clip, sampling_rate=16_000, return_tensors="pt")
        with torch.inference_mode():
            output = model(batch["input_values"])
        found = output[1] if "pooler_output" in output else output[0].mean(1)
        check(found[0], features)
        np.testing.assert_allclose(logits_of(folder, found).softmax(1)[0], wanted, atol=1e-5)


@pytest.mark.parametrize("kind", ["clap", "clap_audio_model projected", "clap_audio_model"])
def test_a_folder_of_clap_is_its_half_for_sounds(kind, tmp_path):
    fitted, folder = sounds_of(kind, tmp_path, sounds(2))
    name = json.loads((folder / "config.json").read_text())["architectures"][0]
    model = getattr(transformers, name).from_pretrained(folder)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    batch = extractor(sounds(2), sampling_rate=16_000, return_tensors="pt")
    batch["is_longer"] = torch.ones(2, 1, dtype=torch.bool)
    with torch.inference_mode():
        output = model(**batch)
    found = output.audio_embeds if "audio_embeds" in output else output.pooler_output
    # transformers scales the features of a whole CLAP to unit length.
    found = nn.functional.normalize(found) if kind == "clap" else found
    check(found, fitted.transform(sounds(2)))
    probabilities = logits_of(folder, found).softmax(1)
    np.testing.assert_allclose(probabilities, fitted.predict_proba(sounds(2)), atol=1e-5)


def test_a_folder_of_whisper_is_its_encoder(tmp_path):
    clips = [np.resize(clip, 32_000) for clip in sounds(2)]  # as long as transformers needs them
    fitted, folder = sounds_of("whisper", tmp_path, clips)
    extractor = transformers.AutoFeatureExtractor.from_pretrained(folder)
    batch = extractor(clips, sampling_rate=16_000, return_tensors="pt")["input_features"]
    for kind in ("AutoModel", "AutoModelForAudioClassification"):
        encoder = getattr(transformers, kind).from_pretrained(folder).encoder.eval()
        with torch.inference_mode():
            found = encoder(batch).last_hidden_state.mean(1)
        check(found, fitted.transform(clips))
        probabilities = logits_of(folder, found).softmax(1)
        np.testing.assert_allclose(probabilities, fitted.predict_proba(clips), atol=1e-5)
    embedder = AudioEmbedder(folder, sampling_rate=16_000, cache=False)
    check(embedder.fit_transform(sounds(3)), fitted.transform(sounds(3)))
