"""Features equal those of the original libraries."""

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from sklearn.datasets import load_sample_images
from torchvision.models.feature_extraction import create_feature_extractor
from torchvision.transforms import CenterCrop, Compose, InterpolationMode, Resize

from sktransfer import ImageEmbedder, TextEmbedder
from tests.backbones.huggingface.test_sentence_transformers import varied_texts
from tests.backbones.test_bundled import Reference, classes, needs

pytestmark = pytest.mark.filterwarnings("ignore::sktransfer.exceptions.LeftOutWarning")

PHOTOS = [Image.fromarray(photo) for photo in load_sample_images().images]

# Name of the input of the last layer in each network.
ARCHITECTURES = {
    "resnet18": "flatten",
    "alexnet": "classifier.5",
    "densenet121": "flatten",
    "googlenet": "dropout",
    "mobilenet_v2": "classifier.0",
    "mobilenet_v3_small": "classifier.2",
    "mnasnet0_5": "classifier.0",
    "regnet_y_400mf": "flatten",
    "shufflenet_v2_x0_5": "mean",
    "vgg11": "classifier.5",
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_images_equal_torchvisions_feature_extractor(name):
    torch.manual_seed(0)
    options = {"init_weights": True} if name == "googlenet" else {}
    network = torchvision.models.get_model(name, weights=None, **options).eval()
    weights = torchvision.models.get_model_weights(name).IMAGENET1K_V1
    pixels = torch.stack([weights.transforms()(photo) for photo in PHOTOS])
    extractor = create_feature_extractor(network, [ARCHITECTURES[name]])
    with torch.inference_mode():
        expected = extractor(pixels)[ARCHITECTURES[name]].flatten(1).numpy()
    found = ImageEmbedder(network, cache=False).fit_transform(PHOTOS)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


def furthest(rows, expected):
    """Return the largest distance between two rows, relative to the norm of the second."""
    return np.max(np.linalg.norm(rows - expected, axis=1) / np.linalg.norm(expected, axis=1))


def cosines(rows, others):
    return np.sum(rows * others, axis=1) / (
        np.linalg.norm(rows, axis=1) * np.linalg.norm(others, axis=1)
    )


def test_images_equal_the_network_published_in_2020():
    bundle = needs("efficientnet_lite0")
    prepare = Compose([Resize(224, InterpolationMode.BICUBIC), CenterCrop(224)])
    pixels = np.stack([np.asarray(prepare(photo), np.float32) for photo in PHOTOS])
    inputs = torch.from_numpy((pixels - 127) / 128).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = Reference(torch.load(bundle.folder / bundle.files[0], weights_only=True))(
            inputs
        ).numpy()
    found = ImageEmbedder(cache=False).fit_transform(PHOTOS)
    assert furthest(found, expected) < 1e-4
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * expected.max())


def test_the_published_classifier_recognizes_a_palace_and_a_daisy():
    needs("efficientnet_lite0")
    features = torch.from_numpy(ImageEmbedder(cache=False).fit_transform(PHOTOS))
    assert classes("efficientnet_lite0", features) == ["palace", "daisy"]


def test_a_thousand_varied_texts_equal_sentence_transformers():
    library = pytest.importorskip("sentence_transformers")
    folder = needs("all-MiniLM-L6-v2").folder / "model"
    column = varied_texts(1000)
    model = library.SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    expected = model.encode(column, show_progress_bar=False)
    found = TextEmbedder(missing="empty", cache=False).fit_transform(column)
    assert np.max(1 - cosines(found, expected)) < 1e-5
    assert furthest(found, expected) < 1e-5


def images_of_many_sizes():
    rng = np.random.default_rng(0)
    corners = [(*rng.integers(0, 200, 2), *rng.integers(40, 220, 2)) for _ in range(10)]
    return [
        PHOTOS[i % 2].crop((x, y, x + width, y + height))
        for i, (x, y, width, height) in enumerate(corners)
    ]


@pytest.fixture(scope="module")
def one_by_one():
    """Return two columns, and the features of each of their rows alone."""
    columns = {
        ImageEmbedder: images_of_many_sizes(),
        TextEmbedder: [t for t in varied_texts(40) if t.strip()],
    }
    return {
        embedder: (column, embedder(cache=False, batch_size=1).fit_transform(column))
        for embedder, column in columns.items()
    }


@pytest.mark.parametrize("batch_size", [3, 8, 32, "auto"])
@pytest.mark.parametrize("embedder", [ImageEmbedder, TextEmbedder])
def test_a_batch_does_not_change_its_rows(embedder, batch_size, one_by_one):
    column, alone = one_by_one[embedder]
    together = embedder(cache=False, batch_size=batch_size).fit_transform(column)
    assert furthest(together, alone) < 1e-5


@pytest.mark.parametrize("embedder", [ImageEmbedder, TextEmbedder])
def test_in_bfloat16_a_batch_changes_its_rows_within_that_precision(embedder, one_by_one):
    column, exact = (rows[:4] for rows in one_by_one[embedder])  # bfloat16 is slow on many CPUs
    alone, together = (
        embedder(cache=False, precision="bfloat16", batch_size=size).fit_transform(column)
        for size in (1, 3)
    )
    assert furthest(together, alone) < 0.02
    assert cosines(alone, exact).min() > 0.95


def test_bfloat16_is_near_float32_and_auto_equals_one_of_them():
    exact = ImageEmbedder(cache=False).fit_transform(PHOTOS)
    lower = ImageEmbedder(cache=False, precision="bfloat16").fit_transform(PHOTOS)
    chosen = ImageEmbedder(cache=False, precision="auto").fit_transform(PHOTOS)
    assert lower.dtype == np.float32
    assert not np.array_equal(exact, lower)
    assert cosines(exact, lower).min() > 0.99
    assert np.array_equal(chosen, exact) or np.array_equal(chosen, lower)
