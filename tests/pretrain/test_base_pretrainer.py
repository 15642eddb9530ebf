"""Pretrainers as estimators: state, searches, pipelines, validation, errors."""

import pickle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback, EpochScoring
from torch import nn

from sktransfer import (
    HistoryDisplay,
    ImageClassifier,
    ImageEmbedder,
    ImagePretrainer,
    TextClassifier,
    TextEmbedder,
    TextPretrainer,
    find_lr,
    load,
    save,
)
from sktransfer.exceptions import (
    BackboneError,
    BadCellWarning,
    ColumnError,
    StoppedWarning,
    TargetError,
)
from sktransfer.training.objectives import SelfSupervised
from tests._tiny import images, texts, tiny_network
from tests.backbones import _huggingface_folders as folders

SHORT = {"max_epochs": 2, "batch_size": 8, "cache": False, "random_state": 0}


def image_pretrainer(**params):
    return ImagePretrainer(tiny_network(), **{**SHORT, **params})


@pytest.fixture(scope="module")
def fitted_texts():
    return TextPretrainer(trainable=1, **SHORT).fit(texts(24))


def test_the_network_changes_and_the_loss_falls():
    X = images(64)
    pretrainer = image_pretrainer(max_epochs=8, lr=0.01).fit(X)
    losses = [record["train_loss"] for record in pretrainer.history_]
    assert losses[-1] < losses[0]
    assert {record["phase"] for record in pretrainer.history_} == {"simclr"}
    before = ImageEmbedder(tiny_network(), cache=False).fit_transform(X)
    assert np.abs(pretrainer.transform(X) - before).max() > 1e-3


@pytest.mark.parametrize("trainable", [1, "all", "gradual", "lora"])
def test_it_is_a_backbone_of_embedders_and_fine_tuners(trainable):
    X = texts(12)
    pretrainer = TextPretrainer(trainable=trainable, **{**SHORT, "max_epochs": 1}).fit(X)
    features = pretrainer.transform(X)
    embedded = TextEmbedder(backbone=pretrainer, cache=False).fit_transform(X)
    np.testing.assert_allclose(embedded, features, rtol=1e-4, atol=1e-5)
    classifier = TextClassifier(backbone=FrozenEstimator(pretrainer), max_epochs=1, cache=False)
    np.testing.assert_allclose(
        classifier.fit(X, [0, 1] * 6).transform(X), features, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("way", ["pickle", "save", "clone of a frozen one"])
def test_state_survives(way, fitted_texts, tmp_path):
    X = texts(6, seed=1)
    if way == "pickle":
        packed = pickle.dumps(fitted_texts)
        assert len(packed) < 16e6  # one of six layers, and the head; all of the network has 90 MB
        again = pickle.loads(packed)
    elif way == "save":
        save(fitted_texts, tmp_path / "model.skt")
        again = load(tmp_path / "model.skt")
    else:
        again = clone(FrozenEstimator(fitted_texts)).estimator
    np.testing.assert_array_equal(again.transform(X), fitted_texts.transform(X))
    assert again.history_ == fitted_texts.history_
    assert again.objective_ == fitted_texts.objective_
    assert again.initial_scores_ == fitted_texts.initial_scores_


def test_a_warm_start_continues_after_a_pickle_as_without(fitted_texts):
    X = texts(24)
    fits = [pickle.loads(pickle.dumps(fitted_texts)), clone(fitted_texts).fit(X)]
    rows = [fit.set_params(warm_start=True).fit(X).transform(X) for fit in fits]
    np.testing.assert_array_equal(*rows)
    assert [record["epoch"] for record in fits[0].history_] == [1, 2, 3, 4]


def test_a_warm_start_refuses_another_objective(fitted_texts):
    again = pickle.loads(pickle.dumps(fitted_texts))
    again.set_params(warm_start=True, objective="simcse")
    with pytest.raises(BackboneError, match="cannot change from objective='mlm' to 'simcse'"):
        again.fit(texts(8))
    # Parameters that were changed do not keep it from being stored.
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(again)).transform(texts(3)), fitted_texts.transform(texts(3))
    )


def test_partial_fit_adds_an_epoch():
    pretrainer = image_pretrainer()
    for _ in range(3):
        pretrainer.partial_fit(images(16))
    assert [record["epoch"] for record in pretrainer.history_] == [1, 2, 3]


def test_in_a_pipeline_and_a_search():
    X, y = images(40), np.arange(40) % 2
    model = make_pipeline(image_pretrainer(), LogisticRegression())
    search = GridSearchCV(model, {"imagepretrainer__temperature": [0.1, 0.5]}, cv=2).fit(X, y)
    assert search.predict(X).shape == (40,)
    prefit = FrozenEstimator(image_pretrainer().fit(X))
    classifier = ImageClassifier(backbone=prefit, max_epochs=1, cache=False)
    GridSearchCV(classifier, {"lr": [1e-3, 1e-2]}, cv=2).fit(X, y)


def test_the_same_seed_gives_the_same_network_whatever_was_drawn_before():
    X = images(24)
    first = image_pretrainer().fit(X).transform(X)
    np.random.rand(7)
    np.testing.assert_array_equal(image_pretrainer().fit(X).transform(X), first)
    other = image_pretrainer(random_state=1).fit(X).transform(X)
    assert np.abs(other - first).max() > 0


def test_validation_rows_are_scored_alike_in_each_epoch():
    X = texts(24)
    scores = {"X_val": X[:12], "y_val": np.arange(12) % 2}
    # Without dropout and with such steps, all that could change are the tokens that are masked.
    pretrainer = TextPretrainer(trainable=1, lr=1e-9, weight_decay=0.0, **SHORT).fit(X, **scores)
    first, second = (record["valid_loss"] for record in pretrainer.history_)
    assert first == pytest.approx(second, abs=1e-4)
    for record in (*pretrainer.history_, pretrainer.initial_scores_):
        assert 0 <= record["knn_score"] <= 1
        assert record["effective_rank"] >= 1


def test_early_stopping_keeps_the_epoch_of_the_lowest_validation_loss():
    pretrainer = image_pretrainer(early_stopping=True, max_epochs=30, lr=0.05, n_iter_no_change=2)
    pretrainer.fit(images(60))
    losses = [record["valid_loss"] for record in pretrainer.history_]
    assert pretrainer.best_epoch_ == 1 + int(np.argmin(losses))


def test_an_interrupt_keeps_the_finished_epochs():
    class Interrupt(Callback):
        def on_batch_begin(self, net, **kwargs):
            if len(net.history) == 3:
                raise KeyboardInterrupt

    with pytest.warns(StoppedWarning, match="2 of 5 epochs"):
        pretrainer = image_pretrainer(max_epochs=5, callbacks=[Interrupt()]).fit(images(16))
    assert pretrainer.transform(images(2)).shape == (2, 6)


def test_bad_cells_are_left_out():
    X = [*images(12)]
    X[3] = np.zeros(5)
    with pytest.warns(BadCellWarning, match="left out of the fit"):
        pretrainer = image_pretrainer(on_error="nan").fit(X)
    with pytest.warns(BadCellWarning):
        assert np.isnan(pretrainer.transform(X)).any(axis=1).nonzero()[0].tolist() == [3]


@pytest.mark.parametrize("trainable", ["head", 0])
def test_a_head_alone_is_nothing_to_train(trainable):
    with pytest.raises(ValueError, match="trains no stage"):
        image_pretrainer(trainable=trainable).fit(images(8))


def test_y_val_alone_is_refused():
    with pytest.raises(TargetError, match="y_val belongs to X_val"):
        image_pretrainer().fit(images(8), y_val=[0] * 8)


def test_y_is_not_used():
    X = images(16)
    rows = [image_pretrainer().fit(X, y).transform(X) for y in (None, [0, 1] * 8, "any")]
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[0], rows[2])


def test_random_weights_are_trained_too():
    X = images(24, size=32)
    pretrainer = ImagePretrainer("resnet18", weights=None, image_size=32, **SHORT).fit(X)
    assert pretrainer.transform(X).shape == (24, 512)


def test_features_of_a_lazy_column():
    dd = pytest.importorskip("dask.dataframe")
    X = pd.Series(texts(8))
    pretrainer = TextPretrainer(trainable=1, **SHORT).fit(X)
    lazy = pretrainer.transform(dd.from_pandas(X, npartitions=2))
    np.testing.assert_allclose(lazy.compute(), pretrainer.transform(X), rtol=1e-4, atol=1e-5)


def test_find_lr_and_the_display_of_fine_tuners_take_a_pretrainer():
    X = images(32)
    display = find_lr(image_pretrainer(), X, None, steps=8)
    assert len(display.losses) > 1
    assert HistoryDisplay.from_estimator(image_pretrainer().fit(X)).lines_
    plt.close("all")


def test_callbacks_see_its_epochs():
    recorded = []

    class Record(Callback):
        def on_epoch_end(self, net, **kwargs):
            recorded.append(net.history[-1, "effective_rank"])

    pretrainer = image_pretrainer(callbacks=[Record()]).fit(images(16))
    assert recorded == [record["effective_rank"] for record in pretrainer.history_]


@pytest.mark.parametrize("objective", ["simclr", "vicreg"])
def test_rows_that_are_alone_in_a_batch_are_refused(objective):
    X = images(8)
    pretrainer = image_pretrainer(objective=objective)
    with pytest.raises(ColumnError, match="each batch of training rows has one row"):
        pretrainer.fit(X[:1])
    with pytest.raises(ColumnError, match="each batch of validation rows has one row"):
        pretrainer.fit(X, X_val=X[:1])
    with pytest.raises(ColumnError, match="Pass more rows, or set a larger batch_size"):
        pretrainer.set_params(batch_size=1).fit(X)


class Own(SelfSupervised):
    name = "own"

    def loss(self, module, batch, targets, weights):
        features = module.features(batch.inputs)
        return features.mean(), features


def own(**members):
    """Return an objective of a user's that differs from `Own`."""
    return type("Own", (Own,), members)()


class Duck:
    """Has the methods of an objective, and no attributes."""

    name = "duck"

    def loss(self, module, batch, targets, weights):
        return module.features(batch.inputs).mean(), None

    def head(self, backbone, recipe):
        return None


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (Own, "must be an instance of a subclass"),
        (Duck(), "must be an instance of a subclass"),
        (own(name=3), "with a `name`, a string"),
        (own(head=lambda *args: nn.Linear(6, 2)), "a module whose attribute n_features"),
        (own(loss=lambda *args: torch.tensor(1.0)), "must return a tensor without dimensions"),
        (own(loss=lambda *args: (1.0, None)), "must return a tensor without dimensions"),
        (own(loss=lambda *args: (torch.ones(2), None)), "'own' must return a tensor without"),
        (own(loss=lambda *args: (torch.tensor(1.0), None)), "'own' depends on no weight"),
    ],
)
def test_an_objective_that_does_not_fit_is_refused(objective, message):
    with pytest.raises((TypeError, ValueError), match=message):
        image_pretrainer(objective=objective).fit(images(8))


def test_a_score_of_predictions_is_refused():
    pretrainer = image_pretrainer(callbacks=[EpochScoring("accuracy")])
    with pytest.raises(TypeError, match="no predictions to score"):
        pretrainer.fit(images(8), X_val=images(8, seed=1))


@pytest.mark.parametrize("objective", ["simclr", "vicreg", "masked", "mlm", "simcse"])
def test_a_fit_does_not_depend_on_the_default_dtype_of_torch(objective, tmp_path):
    kind = "bert" if objective in ("mlm", "simcse") else "vit"
    folders.save(kind, tmp_path)
    if kind == "bert":
        folders.tokenizer(mask_token="<mask>").save_pretrained(tmp_path)
        X = [" ".join(folders.WORDS[n : n + 5]) for n in range(12)]
        pretrainer = TextPretrainer(str(tmp_path), objective=objective, **SHORT)
    else:
        X = images(12, size=32)
        # The transforms of torchvision draw in the default dtype.
        pretrainer = ImagePretrainer(str(tmp_path), objective=objective, augment=_noisy, **SHORT)
    expected = pretrainer.fit(X).transform(X)
    default = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        found = pretrainer.fit(X).transform(X)
    finally:
        torch.set_default_dtype(default)
    np.testing.assert_array_equal(found, expected)


def _noisy(image):
    return image ^ torch.randint(2, image.shape, dtype=image.dtype)


def test_an_estimator_is_not_its_own_backbone(fitted_texts):
    own = clone(fitted_texts)
    own.set_params(backbone=own)
    with pytest.raises(BackboneError, match="TextPretrainer is this estimator itself"):
        own.fit(texts(8))
