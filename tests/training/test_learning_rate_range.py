"""The steps of a range test are training steps with a learning rate set per step."""

import numpy as np
from skorch.callbacks import Callback

from sktransfer import ImageClassifier, ImagePretrainer
from sktransfer.training import RangeTest, run_range_test
from sktransfer.training.objectives import SimCLR
from tests._tiny import images, tiny_network

COLUMN, SIDES = images(24), np.arange(24) % 2


def tiny(**options):
    settings = {"batch_size": 8, "random_state": 0, "cache": False}
    return ImageClassifier(tiny_network(), **{**settings, **options})


def test_a_step_of_the_range_test_is_a_step_of_a_fit():
    """With a constant rate, losses are those of a plain training."""
    seen = []

    class Notes(Callback):
        def on_batch_end(self, net, loss=None, **kwargs):
            seen.append(loss.item())

    plain = {"lr_schedule": "constant", "warmup": 0.0, "lr": 0.01, "trainable": 1}
    tiny(**plain, max_epochs=4, callbacks=[Notes()]).fit(COLUMN, SIDES)
    test = RangeTest(np.full(12, 0.01))
    run_range_test(tiny(trainable=1), COLUMN, SIDES, test)
    np.testing.assert_allclose(test.losses, seen, rtol=1e-6)


def test_lower_stages_keep_their_ratio_to_the_head():
    rates = []

    class Look(RangeTest):
        def on_batch_begin(self, net, **kwargs):
            super().on_batch_begin(net, **kwargs)
            rates.append([group["lr"] for group in net.optimizer_.param_groups])

    test = Look(np.geomspace(1e-4, 1e-2, 9))
    run_range_test(tiny(trainable="all", layer_decay=0.5), COLUMN, SIDES, test)
    rates = np.array(rates)
    np.testing.assert_allclose(rates[:, 0], test.rates)
    ratios = rates / rates[:, :1]
    np.testing.assert_allclose(ratios, np.tile(ratios[0], (9, 1)))
    assert set(ratios[0].round(6)) == {1.0, 0.5, 0.25}


def test_rates_are_those_of_the_parameter_where_an_objective_takes_a_part():
    class Slow(SimCLR):
        lr_scale = 0.2

    used = []

    class Recorded(RangeTest):
        def on_batch_begin(self, net, **kwargs):
            super().on_batch_begin(net, **kwargs)
            used.append(net.optimizer_.param_groups[0]["lr"])

    test = Recorded(np.geomspace(1e-5, 1e-3, 3))
    pretrainer = ImagePretrainer(tiny_network(), objective=Slow(), cache=False, random_state=0)
    run_range_test(pretrainer, images(8), None, test)
    np.testing.assert_allclose(used, 0.2 * test.rates)
