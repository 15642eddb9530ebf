"""Random augmentation of training texts."""

import numpy as np

from sktransfer.modalities.text._text_augmentation import text_augmentation


def test_dropped_tokens_are_never_the_first_or_last_and_never_all():
    augment = text_augmentation("token_dropout")

    def change(items):
        changed, targets = augment(items, list(range(len(items))))
        assert targets == list(range(len(items)))
        return changed

    tokens = list(range(100, 150))
    thinned = change([tokens] * 200)
    assert all(row[0] == 100 and row[-1] == 149 for row in thinned)
    assert 40 < np.mean([len(row) for row in thinned]) < 48
    assert change([[1], [1, 2], [1, 2, 3]])[:2] == [[1], [1, 2]]
    assert all(len(change([[1, 2, 3]])[0]) == 3 for _ in range(50))
