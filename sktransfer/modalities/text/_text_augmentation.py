"""Random changes of training texts."""

from typing import Any

from sktransfer.modalities._modality import Augmentation

# Share of the tokens left out, special tokens at both ends excepted.
_DROPPED = 0.1


def text_augmentation(augment: str | None) -> Augmentation | None:
    """Return the augmentation of lists of token ids that a value of `augment` names.

    Parameters
    ----------
    augment : None or "token_dropout"
        "token_dropout" leaves out one token in ten.
    """
    return None if augment is None else _drop_tokens


def _drop_tokens(items: list[list[int]], targets: Any) -> tuple[list[list[int]], Any]:
    import torch

    return [_thinned(tokens, torch.rand(len(tokens)).tolist()) for tokens in items], targets


def _thinned(tokens: list[int], chances: list[float]) -> list[int]:
    inner = zip(tokens[1:-1], chances, strict=False)
    kept = [token for token, chance in inner if chance >= _DROPPED]
    return [*tokens[:1], *(kept or tokens[1:-1]), *tokens[1:][-1:]]
