"""Random changes of training texts."""

from typing import Any

from sktransfer.modalities._modality import Augmentation

# Share of the tokens left out, special tokens at both ends excepted.
_DROPPED = 0.1


def text_augmentation(augment: str | float | None) -> Augmentation | None:
    """Return the augmentation of lists of token ids that a value of `augment` names.

    Parameters
    ----------
    augment : None, "token_dropout" or float
        The share of the tokens to leave out, at random; "token_dropout" is one in ten.
    """
    if augment is None:
        return None
    dropped = _DROPPED if isinstance(augment, str) else augment

    def drop_tokens(items: list[list[int]], targets: Any) -> tuple[list[list[int]], Any]:
        import torch

        drawn = [torch.rand(len(tokens), dtype=torch.float32).tolist() for tokens in items]
        return [_thinned(*pair, dropped) for pair in zip(items, drawn, strict=True)], targets

    return drop_tokens


def _thinned(tokens: list[int], chances: list[float], dropped: float) -> list[int]:
    inner = zip(tokens[1:-1], chances, strict=False)
    kept = [token for token, chance in inner if chance >= dropped]
    return [*tokens[:1], *(kept or tokens[1:-1]), *tokens[1:][-1:]]
