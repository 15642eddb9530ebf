"""A batch that does not fit in memory is halved, with one warning and equal results."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from sktransfer import ImageClassifier, ImageEmbedder, TextEmbedder
from sktransfer.backbones import get_backbone
from sktransfer.compute import OutOfMemorySplitter
from sktransfer.exceptions import MemoryWarning
from tests._tiny import counted_rows, images, texts, tiny_network

GPU_ERROR = torch.OutOfMemoryError("CUDA out of memory")
CPU_ERROR = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"


@contextmanager
def too_small_for(elements, backbone, modality="image", error=GPU_ERROR):
    """Make a network raise out of memory above a number of rows, or of tokens per batch."""

    def refuse(module, args):
        inputs = args[0]
        size = len(inputs) if modality == "image" else inputs["input_ids"].numel()
        if size > elements:
            raise error

    network = get_backbone(backbone, modality=modality).network
    handle = network.register_forward_pre_hook(refuse)
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize("error", [GPU_ERROR, RuntimeError(CPU_ERROR)])
@pytest.mark.parametrize("most", [1, 2, 3, 7])
def test_batches_of_images_are_halved_with_one_warning(cache_folder, most, error):
    network, column = tiny_network(), images(20)
    expected = ImageEmbedder(network, batch_size=8, image_size=64, cache=False).fit_transform(
        column
    )
    embedder = ImageEmbedder(network, batch_size=8, image_size=64, device="cpu")
    with (
        counted_rows(network) as counts,
        too_small_for(most, network, error=error),
        pytest.warns(
            MemoryWarning, match="8 rows per batch; continuing with 4.*batch_size=4"
        ) as warned,
    ):
        rows = embedder.fit_transform(column)
    np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-6)
    assert len(warned) == 1
    refused = [count for count in counts if count > most]
    assert len(refused) <= 3  # 8, 4, 2: a size that was too large is not tried again
    np.testing.assert_array_equal(
        ImageEmbedder(network, image_size=64).fit_transform(column), rows
    )  # the size is remembered


def test_batches_of_texts_are_halved_with_one_warning():
    column = texts(60)
    expected = TextEmbedder(cache=False).fit_transform(column)
    with (
        too_small_for(300, "all-MiniLM-L6-v2", "text"),
        counted_rows("all-MiniLM-L6-v2", "text") as counts,
        pytest.warns(MemoryWarning) as warned,
    ):
        rows = TextEmbedder(cache=False).fit_transform(column)
    np.testing.assert_allclose(rows, expected, rtol=1e-5, atol=1e-6)
    assert len(warned) == 1
    assert max(counts) > counts[0]  # with shorter texts, more rows fit together


def test_a_row_that_does_not_fit_alone_raises_with_advice(cache_folder):
    network = tiny_network()
    embedder = ImageEmbedder(network).fit(images(3))
    with (
        too_small_for(0, network),
        pytest.warns(MemoryWarning),
        pytest.raises(MemoryError, match="image_size"),
    ):
        embedder.transform(images(3))
    assert np.isfinite(embedder.transform(images(3))).all()


@pytest.mark.parametrize("trainable", ["head", "all"])
def test_a_fitted_fine_tuner_predicts_in_halved_batches(trainable):
    network, column = tiny_network(), images(20)
    model = ImageClassifier(network, trainable=trainable, max_epochs=1, cache=False, random_state=0)
    model.fit(column, np.arange(20) % 2)
    expected = model.predict_proba(column)
    with (
        refusing_modules(model.module_.network, 3),
        too_small_for(3, network),
        pytest.warns(MemoryWarning) as warned,
    ):
        found = model.predict_proba(column)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert len(warned) == 1


@contextmanager
def refusing_modules(network, most):
    """Make every layer of a network raise out of memory for large batches."""

    def refuse(module, args):
        if isinstance(args[0], torch.Tensor) and len(args[0]) > most:
            raise GPU_ERROR

    handles = [layer.register_forward_pre_hook(refuse) for layer in network.modules()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def test_other_errors_are_raised_as_they_are():
    def fail(batch):
        raise RuntimeError("shapes do not fit")

    with pytest.raises(RuntimeError, match="shapes"):
        OutOfMemorySplitter().run(fail, np.zeros((4, 2)))


def test_the_reduced_size_is_used_for_the_next_batch_without_a_second_warning():
    tried = []

    def compute(batch):
        tried.append(len(batch))
        if len(batch) > 5:
            raise GPU_ERROR
        return np.asarray(batch) * 2

    splitter = OutOfMemorySplitter()
    batches = [np.arange(20.0).reshape(20, 1), np.arange(9.0).reshape(9, 1)]
    with pytest.warns(MemoryWarning) as warned:
        found = [splitter.run(compute, batch) for batch in batches]
    for batch, rows in zip(batches, found, strict=True):
        np.testing.assert_array_equal(rows, batch * 2)
    assert len(warned) == 1
    assert [size for size in tried if size > 5] == [20, 10]
