"""Late fusion: blanks in place of missing towers."""

import torch

from sktransfer.training.heads import FusionHead


def head(**options):
    found = FusionHead([2, 3], 1, **options)
    with torch.no_grad():
        found.blank += 7
        found.linear.weight += 1
    return found


def features(n=400):
    found = torch.rand(n, 5)
    found[::2, :2] = torch.nan  # every other row has the second tower only
    return found


def test_a_tower_that_has_features_is_kept():
    torch.manual_seed(0)
    thinned = head(tower_dropout=0.9).train()._thinned(features())
    assert not thinned.isnan().all(1).any()
    assert thinned[1::2, :2].isnan().any()
    assert thinned[1::2, 2:].isnan().any()


def test_a_blend_of_a_missing_tower_has_a_share_of_its_blank():
    X, fusion = features(4), head().eval()
    blended = fusion(X, lambda fused: 0.75 * fused + 0.25 * fused.flip(0))
    torch.testing.assert_close(blended, 0.75 * fusion(X) + 0.25 * fusion(X).flip(0))
    assert blended[0] != fusion(X)[0]
