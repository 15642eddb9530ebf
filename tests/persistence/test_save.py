"""Parameter values of users are saved, or refused by name."""

import re

import numpy as np
import pytest
import torch
from sklearn.callback import ProgressBar
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import ImageClassifier, ImageEmbedder, load, save
from sktransfer.exceptions import (
    BackboneError,
    PersistenceError,
)
from tests._tiny import images, tiny_network

COLUMN = list(images(6, size=32))


SIDES = [0, 1] * 3


@pytest.mark.parametrize(
    "options",
    [
        {"random_state": 3},
        {"random_state": np.random.RandomState(3)},
        {"class_weight": {0: 1.0, 1: 2.5}},
        {"class_weight": {False: 3.0, True: 2.0}},
        {"class_weight": {np.bool_(False): 3.0, np.bool_(True): 2.0}},
        {"class_weight": {"a": 1, "b": np.float32(2)}},
        {"class_weight": [{0: 1, 1: 2}]},
        {"image_size": (32, 48)},
        {"lr": np.float64(1e-3), "max_epochs": np.int64(3)},
        {"label_smoothing": float("nan")},
    ],
    ids=lambda options: re.sub(" at 0x\\w+", "", repr(options)),
)
def test_values_are_loaded_with_their_types(options, path):
    estimator = ImageClassifier(**options)
    save(estimator, path)
    loaded = load(path)
    for name, value in options.items():
        found = getattr(loaded, name)
        assert type(found) is type(value)
        if isinstance(value, np.random.RandomState):
            assert found.random_sample() == value.random_sample()
        else:
            assert repr(found) == repr(value)


def test_paths_are_loaded_as_paths(vit, tmp_path, path):
    embedder = ImageEmbedder(vit, cache=tmp_path / "cache").fit(COLUMN)
    save(embedder, path)
    assert load(path).get_params() == embedder.get_params()


def test_a_progress_bar_is_saved_and_loaded(vit, path):
    classifier = ImageClassifier(str(vit), max_epochs=1).set_callbacks(ProgressBar())
    save(classifier, path)
    assert isinstance(load(path)._skl_callbacks[0], ProgressBar)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"augment": lambda image: image}, "augment, a function"),
        ({"class_weight": {(1, 2): 3}}, "class_weight, a dict"),
        ({"class_weight": {1: 1.0, "1": 2.0}}, "class_weight, a dict"),
        ({"class_weight": {None: 1.0}}, "class_weight, a dict"),
        ({"callbacks": [torch.nn.Linear(2, 2)]}, "callbacks, a list"),
        ({"random_state": (n for n in range(3))}, "random_state, a generator"),
        ({"image_size": np.float32}, None),
    ],
    ids=["lambda", "tuple", "keys", "None", "module", "generator", "type"],
)
def test_values_that_cannot_be_saved_are_named_before_anything_is_written(options, named, path):
    path.write_text("as before")
    model = make_pipeline(ImageClassifier(**options))
    if named is None:
        save(model, path)
        return
    with pytest.raises(PersistenceError, match=f"parameter imageclassifier__{named}"):
        save(model, path)
    assert path.read_text() == "as before"
    assert list(path.parent.iterdir()) == [path]


def test_a_users_module_is_refused_in_a_standalone_file(path):
    fitted = ImageEmbedder(tiny_network(), cache=False).fit(COLUMN)
    with pytest.raises(BackboneError, match="Name an architecture"):
        save(fitted, path, standalone=True)
    assert not path.exists()


def test_a_standalone_file_needs_a_fitted_estimator(path):
    with pytest.raises(PersistenceError, match="nothing is fitted"):
        save(make_pipeline(ImageEmbedder(), LogisticRegression()), path, standalone=True)
    save(LogisticRegression(), path, standalone=True)
    assert isinstance(load(path), LogisticRegression)
