"""torchvision networks for the tests, including small ones, and how to load them."""

import torch
import torchvision

from sktransfer.backbones import torchvision as torchvision_source

ROWS = {row["name"]: row for row in torchvision_source.rows()}
TINY = "shufflenet_v2_x0_5"
UNSTATED = "not stated (ImageNet-1k)"


def load(name=TINY, weights=None, **options):
    return torchvision_source.load(name, weights=weights, modality="image", **options)


def small_transformer(**options):
    net = torchvision.models.VisionTransformer(32, 8, 3, 2, 16, 32, num_classes=5, **options)
    return net.eval()


def small_vgg(classifier):
    """Return a VGG with a smaller classifier, as a user may have changed it."""
    features = torchvision.models.vgg.make_layers([4, "M", 4, "M", 4, 4, "M"], batch_norm=True)
    with torch.device("meta"):
        net = torchvision.models.VGG(features, num_classes=3, init_weights=False)
    net.classifier = classifier
    return net.eval()
