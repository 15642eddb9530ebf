"""Data-parallel training gives the result of one process."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sktransfer import (
    ImageClassifier,
    ImagePretrainer,
    TextClassifier,
    TextPretrainer,
    load,
    train_together,
)
from sktransfer.training._processes import Processes, processes
from tests._pages import DOCS, blocks
from tests._tiny import images, texts, tiny_network

N_ROWS = 19  # the last batch is smaller than the others, with an odd number of rows
LABELS = np.arange(N_ROWS) % 2


class Accelerator:
    """The methods of Accelerate that are used, in one of several processes with equal numbers."""

    device = torch.device("cpu")

    def __init__(self, number=0, size=2):
        self.process_index, self.num_processes = number, size

    def gather(self, tensor):
        return tensor.repeat(self.num_processes)

    def reduce(self, tensor, reduction):
        assert reduction == "sum"
        return tensor * self.num_processes


def settings(**changed):
    fixed = {"random_state": 0, "cache": False, "max_epochs": 2, "batch_size": 8}
    return {**fixed, "optimizer": "sgd", "lr": 0.03, **changed}


CASES = {
    "all": lambda: (
        ImageClassifier(tiny_network(), **settings(trainable="all", layer_decay=0.9)),
        images(N_ROWS),
    ),
    "contrastive": lambda: (
        ImageClassifier(tiny_network(), **settings(trainable="all", contrastive_epochs=1)),
        images(N_ROWS),
    ),
    "early stopping": lambda: (
        TextClassifier(**settings(early_stopping=True, class_weight="balanced")),
        texts(N_ROWS),
    ),
    "lora": lambda: (
        TextClassifier(**settings(trainable="lora")),
        texts(N_ROWS),
    ),
    "batch norms": lambda: (
        ImageClassifier("resnet18", weights=None, image_size=32, **settings(trainable=1)),
        images(N_ROWS),
    ),
    "masked tokens": lambda: (
        TextPretrainer(**settings(trainable=1, lr=0.01)),
        texts(N_ROWS),
    ),
    "two views": lambda: (
        ImagePretrainer(tiny_network(), **settings(early_stopping=True)),
        images(N_ROWS),
    ),
    "mixup and dropout": lambda: (
        TextClassifier(**settings(trainable=1, mixup=0.2, dropout=0.1)),
        texts(N_ROWS),
    ),
}
# In the others, each process draws random numbers for its share, or averages over it.
EXACT = ["all", "contrastive", "early stopping", "lora"]

PAGE = (DOCS / "from_a_laptop_to_a_cluster.md").read_text()
# Processes take long to start, so the script of the page runs in the same ones.
[SCRIPT_OF_THE_PAGE] = [code for code in blocks(PAGE) if code.startswith("# train.py")]
SCRIPT = """
import numpy as np
from accelerate import Accelerator
from sktransfer import train_together
from sktransfer.exceptions import TargetError
from tests.training.test_processes import CASES, LABELS, outcome

accelerator = Accelerator()
for name, make in CASES.items():
    estimator, column = make()
    with train_together(accelerator):
        estimator.fit(column, LABELS)
    np.savez(f"{name}-{accelerator.process_index}.npz", **outcome(estimator, column))

estimator, column = CASES["all"]()
mine = slice(9 * accelerator.process_index, 9 * accelerator.process_index + 9)
with train_together(accelerator):
    try:
        estimator.fit(column[mine], LABELS[mine])
    except TargetError as error:
        print(error)
"""


def outcome(estimator, column):
    """Return the trained parameters as one vector, the losses, and the accuracy."""
    trained = [t.detach().double().ravel() for t in estimator.module_.trained().values()]
    losses = [record["train_loss"] for record in estimator.history_]
    return {
        "trained": torch.cat(trained).numpy(),
        "loss": np.array(losses),
        "accuracy": estimator.score(column, LABELS) if hasattr(estimator, "score") else 0.0,
    }


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """Return the outcomes of two processes, their output, and their folder."""
    pytest.importorskip("accelerate")
    pytest.importorskip("peft")
    folder = tmp_path_factory.mktemp("together")
    (folder / "train.py").write_text(SCRIPT + SCRIPT_OF_THE_PAGE)
    line = blocks(PAGE, "console")[-1].strip()
    assert line.startswith("$ ACCELERATE_USE_CPU=true torchrun ")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *line.split()[3:]],
        env={
            **os.environ,
            "ACCELERATE_USE_CPU": "true",
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    found = {name: [np.load(folder / f"{name}-{i}.npz") for i in range(2)] for name in CASES}
    return found, done.stdout, folder


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_both_processes_have_the_same_weights_and_scores(two_processes, name):
    first, second = two_processes[0][name]
    for what in ("trained", "accuracy"):
        np.testing.assert_array_equal(first[what], second[what])


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_two_processes_train_the_same_weights_as_one(two_processes, name):
    estimator, column = CASES[name]()
    alone = outcome(estimator.fit(column, LABELS), column)
    found = two_processes[0][name][0]
    assert found["accuracy"] >= alone["accuracy"] - 0.1
    if name in EXACT:
        other = outcome(estimator.set_params(random_state=1).fit(column, LABELS), column)
        unlike = np.abs(other["trained"] - alone["trained"]).max()
        np.testing.assert_allclose(found["trained"], alone["trained"], rtol=0, atol=unlike / 500)
        np.testing.assert_allclose(found["loss"], alone["loss"], rtol=1e-4)


class OtherProcess(Accelerator):
    """An accelerator that adds what another process gave to `reduce`."""

    def __init__(self, given=None):
        super().__init__()
        self.given = given

    def reduce(self, tensor, reduction):
        if self.given is None:
            self.given = tensor.clone()
        return tensor + self.given


def test_a_process_gets_gradients_of_what_its_share_has_no_cell_of():
    def network(seen):
        module = torch.nn.ModuleList([torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)])
        for linear in list(module)[:seen]:
            linear.weight.grad, linear.bias.grad = torch.ones(1, 1), torch.ones(1)
        return module

    other, own, loss = OtherProcess(), network(0), torch.tensor(2.0)
    Processes(other).summed(loss, 3, network(1))
    mean = Processes(OtherProcess(other.given)).summed(torch.tensor(4.0), 1, own)
    assert mean == (3 * 2 + 4) / 4
    assert own[0].weight.grad == own[0].bias.grad == 3 / 4
    assert own[1].weight.grad is None  # the optimizer leaves it alone, as in one process


@pytest.mark.slow
def test_processes_with_different_rows_raise(two_processes):
    message = "The processes do not train on the same rows in the same order. Pass the whole X"
    assert two_processes[1].count(message) == 2


@pytest.mark.slow
def test_the_script_of_the_page_saves_its_classifier(two_processes):
    classifier = load(two_processes[2] / "classifier.skt")
    assert classifier.predict(["a kitten", "a judge"]).tolist() == ["pet", "law"]


def test_a_batch_is_divided_without_remainder():
    group = [Processes(Accelerator(number, size=3)) for number in range(3)]
    shares = [process.share(list(range(8))) for process in group]
    assert sorted(row for share in shares for row in share) == list(range(8))
    assert [len(share) for share in shares] == [3, 3, 2]


def test_a_too_small_batch_is_computed_by_all_processes():
    assert Processes(Accelerator(1, size=3)).share([4, 5, 6, 7, 8]) == [4, 5, 6, 7, 8]


def test_the_loss_and_the_gradients_are_weighted_by_rows():
    class Other(Accelerator):
        def reduce(self, tensor, reduction):
            # The other process has one row, of which the loss and all gradients are 0.
            return tensor + torch.cat([torch.ones(1), torch.zeros(len(tensor) - 1)])

    module = torch.nn.Linear(2, 1)
    loss = module(torch.ones(3, 2)).mean()
    loss.backward()
    expected = [parameter.grad * 3 / 4 for parameter in module.parameters()]
    found = Processes(Other()).summed(loss, 3, module)
    assert found.item() == pytest.approx(loss.item() * 3 / 4)
    for parameter, gradient in zip(module.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)


def test_outside_the_block_and_with_one_process_batches_are_not_divided():
    assert processes().size == 1
    with train_together(Accelerator(size=1)):
        assert processes().size == 1
    with train_together(Accelerator()):
        assert processes().size == 2
    assert processes().size == 1


def test_processes_draw_different_numbers_and_a_single_one_uses_the_generator_itself():
    random = np.random.RandomState(0)
    assert Processes().own(random) is random
    drawn = {
        Processes(Accelerator(number)).own(np.random.RandomState(0)).rand() for number in range(2)
    }
    assert len(drawn) == 2


def test_the_check_compares_rows_targets_and_random_numbers():
    class Recorder(Accelerator):
        def gather(self, tensor):
            self.seen = int(tensor)
            return tensor

    def seen(column, y, random_state=0):
        accelerator = Recorder()
        with train_together(accelerator):
            TextClassifier(**settings(max_epochs=1, random_state=random_state)).fit(column, y)
        return accelerator.seen

    column, other = texts(N_ROWS), texts(N_ROWS, seed=1)
    first = seen(column, LABELS)
    assert seen(list(column), LABELS.tolist()) == first
    assert first not in {seen(other, LABELS), seen(column, 1 - LABELS), seen(column, LABELS, 1)}
