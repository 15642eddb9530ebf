"""Effects of each embedder parameter on the features."""

import numpy as np
import pytest
import torch
import torchvision
import transformers
from PIL import Image
from safetensors.torch import save_file
from sklearn.datasets import load_sample_images
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

from sktransfer import ImageEmbedder, TextEmbedder, cache_info
from sktransfer.backbones import _registry
from sktransfer.exceptions import BackboneError, WeightsError
from tests._tiny import counted_rows, images, seen_batches, texts, tiny_network
from tests.backbones.test_bundled import needs

PHOTOS = [Image.fromarray(photo) for photo in load_sample_images().images]
TEXTS = texts(12)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def hidden_states():
    """Return transformers' own token vectors of TEXTS, a list a text, one array a stage."""
    folder = needs("all-MiniLM-L6-v2").folder / "model"
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    network = transformers.AutoModel.from_pretrained(folder).eval()
    with torch.inference_mode():
        outputs = [
            network(**tokenizer(text, return_tensors="pt"), output_hidden_states=True)
            for text in TEXTS
        ]
    return [[state[0].numpy() for state in output.hidden_states] for output in outputs]


POOLINGS = {
    "default": lambda tokens: tokens.mean(axis=0),
    "mean": lambda tokens: tokens.mean(axis=0),
    "max": lambda tokens: tokens.max(axis=0),
    "cls": lambda tokens: tokens[0],
}


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize(("layer", "number"), [("embeddings", 0), ("layer3", 3), (-1, 6)])
def test_a_layer_of_texts_equals_that_of_transformers(layer, number, pooling, hidden_states):
    expected = np.array([POOLINGS[pooling](states[number]) for states in hidden_states])
    embedder = TextEmbedder(layer=layer, pooling=pooling, cache=False)
    np.testing.assert_allclose(embedder.fit_transform(TEXTS), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_pooling_of_texts_pools_the_last_layer(pooling, hidden_states):
    expected = np.array([POOLINGS[pooling](states[-1]) for states in hidden_states])
    if pooling == "default":  # the backbone's default: normalized after the mean
        expected = unit(expected)
    found = TextEmbedder(pooling=pooling, cache=False).fit_transform(TEXTS)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_flatten_of_texts_is_refused():
    with pytest.raises(BackboneError, match="'flatten' does not fit texts"):
        TextEmbedder(pooling="flatten").fit(TEXTS)


@pytest.mark.filterwarnings("ignore::sktransfer.exceptions.LeftOutWarning")
def test_max_length_keeps_the_first_tokens(cache_folder):
    long = TextEmbedder().fit_transform(["river " * 50])
    cut = TextEmbedder(max_length=10).fit_transform(["river " * 50])
    whole = TextEmbedder().fit_transform(["river " * 8])  # and two special tokens of the tokenizer
    np.testing.assert_allclose(cut, whole, atol=1e-6)
    assert not np.allclose(cut, long, atol=1e-3)
    with seen_batches("all-MiniLM-L6-v2", "text") as batches:
        TextEmbedder(max_length=6, cache=False).fit_transform(texts(20))
    assert max(batch.shape[1] for batch in batches) == 6


def test_max_length_beyond_the_positions_is_refused():
    with pytest.raises(BackboneError, match="max_length=9999 is more than the 512 tokens"):
        TextEmbedder(max_length=9999).fit_transform(TEXTS)


@pytest.mark.parametrize(
    ("embedder", "column"),
    [
        (TextEmbedder(layer="layer3", cache=False), TEXTS),
        (ImageEmbedder(tiny_network(), cache=False), images(4)),
    ],
    ids=["text", "image"],
)
def test_normalize_scales_rows_to_unit_length(embedder, column):
    rows = embedder.set_params(normalize=False).fit_transform(column)
    assert not np.allclose(np.linalg.norm(rows, axis=1), 1, atol=0.1)
    scaled = embedder.set_params(normalize=True).fit_transform(column)
    np.testing.assert_allclose(scaled, unit(rows), rtol=1e-5, atol=1e-7)


def test_normalize_does_not_change_rows_of_zeros():
    network = tiny_network()
    network[-1].weight.data.zero_()
    network[-1].bias.data.zero_()
    rows = ImageEmbedder(network, normalize=True, cache=False).fit_transform(images(2))
    np.testing.assert_array_equal(rows, np.zeros((2, 6)))


@pytest.mark.parametrize(
    ("embedder", "column"),
    [(TextEmbedder(cache=False), TEXTS), (ImageEmbedder(cache=False), PHOTOS)],
    ids=["text", "image"],
)
def test_weights_none_is_random_and_the_same_in_each_process(embedder, column, monkeypatch):
    pretrained = embedder.set_params(weights="pretrained").fit_transform(column)
    state = torch.random.get_rng_state()
    rows = []
    for seed in (1, 2):
        monkeypatch.setattr(_registry, "_loaded", {})  # as in a new process
        torch.manual_seed(seed)
        rows.append(embedder.set_params(weights=None).fit_transform(column))
    torch.random.set_rng_state(state)
    assert np.isfinite(rows[0]).all()
    assert rows[0].std(axis=0).max() > 0
    np.testing.assert_array_equal(rows[0], rows[1])
    assert not np.allclose(rows[0], pretrained, atol=1e-3)


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
def test_weights_of_a_file_are_used(ending, tmp_path, cache_folder):
    torch.manual_seed(3)
    network = torchvision.models.resnet18(weights=None).eval()
    path = tmp_path / f"mine.{ending}"
    if ending == "pth":
        torch.save(network.state_dict(), path)
    else:
        save_file(network.state_dict(), path)
    network.fc = torch.nn.Identity()
    prepare = torchvision.models.ResNet18_Weights.DEFAULT.transforms()
    with torch.inference_mode():
        expected = network(torch.stack([prepare(photo) for photo in PHOTOS])).numpy()
    for weights in (path, str(path)):
        found = ImageEmbedder("resnet18", weights=weights).fit_transform(PHOTOS)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_a_changed_weights_file_is_reloaded_and_refused_after_the_fit(tmp_path):
    path = tmp_path / "mine.pth"
    first, second = (
        ImageEmbedder("squeezenet1_1", weights=path, image_size=64, cache=False) for _ in range(2)
    )
    torch.manual_seed(0)
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
    rows = first.fit_transform(PHOTOS)
    torch.save(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
    assert not np.allclose(second.fit_transform(PHOTOS), rows)
    with pytest.raises(WeightsError, match="fitted with"):
        first.transform(PHOTOS)


def test_a_missing_or_mismatching_weights_file_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"nowhere\.pth"):
        ImageEmbedder("resnet18", weights=tmp_path / "nowhere.pth").fit(PHOTOS)
    torch.save({"conv1.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="do not fit their architecture"):
        ImageEmbedder("resnet18", weights=tmp_path / "other.pth").fit(PHOTOS)


def test_device_cpu_computes_on_the_cpu(monkeypatch):
    monkeypatch.setattr(  # "auto" would select this device
        torch.accelerator, "current_accelerator", lambda **_: torch.device("cuda")
    )
    network = tiny_network()
    with seen_batches(network) as batches:
        rows = ImageEmbedder(network, device="cpu", cache=False).fit_transform(images(3))
    assert {batch.device for batch in batches} == {torch.device("cpu")}
    assert np.isfinite(rows).all()


@pytest.mark.parametrize(
    ("image_size", "sides"), [((96, 64), (96, 64)), (72, (72, 72)), ((72, 72), (72, 72))]
)
def test_image_size_is_the_input_size_of_the_network(image_size, sides):
    network = tiny_network()
    flat = {"layer": 0, "pooling": "flatten"}
    embedder = ImageEmbedder(network, image_size=image_size, cache=False, **flat).fit(PHOTOS)
    with seen_batches(network) as batches:
        rows = embedder.transform(PHOTOS)
    assert [tuple(batch.shape) for batch in batches] == [(2, 3, *sides)]
    assert rows.shape == (2, 8 * (sides[0] // 8) * (sides[1] // 8))
    assert len(embedder.get_feature_names_out()) == rows.shape[1]


def test_an_image_size_of_height_and_width_is_resized_and_cropped_as_by_torchvision():
    network = torchvision.models.squeezenet1_1(weights=None).eval()
    prepare = Compose(
        [
            Resize(round(256 * 96 / 224)),  # of the longer side, the cropped fraction is preserved
            CenterCrop((96, 64)),
            ToTensor(),
            Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    with torch.inference_mode():
        pixels = torch.stack([prepare(photo) for photo in PHOTOS])
        expected = network.features(pixels).mean((2, 3)).numpy()
    embedder = ImageEmbedder(network, image_size=(96, 64), layer="fire9", cache=False)
    found = embedder.fit_transform(PHOTOS)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("image_size", [(96,), (96, 0), (96, 64, 3), ("a", "b")])
def test_an_invalid_image_size_is_refused(image_size):
    with pytest.raises(BackboneError, match="give a side or"):
        ImageEmbedder(tiny_network(), image_size=image_size).fit(PHOTOS)


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["str", "Path"])
def test_a_users_cache_stores_the_rows_and_the_default_one_stays_empty(
    kind, cache_folder, tmp_path
):
    network, own = tiny_network(), kind(tmp_path / "own")
    first = ImageEmbedder(network, cache=own).fit_transform(images(5))
    with counted_rows(network) as counts:
        again = ImageEmbedder(network, cache=own).fit_transform(images(5))
    assert sum(counts) == 0
    np.testing.assert_array_equal(again, first)
    assert (cache_info(own).rows, cache_info().rows) == (5, 0)
