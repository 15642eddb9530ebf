"""An estimator becomes a file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors.torch import save as tensors_to_bytes

from sktransfer.backbones import Backbone, pack, unpack
from sktransfer.base import use_state_hooks
from sktransfer.exceptions import PersistenceError, SktransferError
from sktransfer.persistence import _manifest
from sktransfer.persistence._archive import write_file
from sktransfer.persistence._blame import check_round_trip, unsaveable
from sktransfer.persistence._estimators import Saved, needs_of
from sktransfer.persistence._manifest import Manifest
from sktransfer.persistence._nodes import Tree
from sktransfer.persistence._skops import to_bytes, tree_of
from sktransfer.persistence._trust import types_of

ESTIMATOR = "estimator.skops"


def save(estimator: Any, path: str | os.PathLike[str], *, standalone: bool = False) -> None:
    """Write an estimator to a file that `load` makes the same estimator of.

    The file holds plain data only: what scikit-learn has learned, what was trained of a
    network, and the fingerprints of backbones, which are found again where it is loaded.

    Parameters
    ----------
    estimator : estimator
        One of ours, or a Pipeline, a search or any other estimator of scikit-learn's with
        some of ours in it; fitted or not.
    path : str or path-like
        Of the file. What it was before stays until all of the new is on the disk.
    standalone : bool, default=False
        Whether the weights of the backbones go into the file too. It then needs neither a
        network nor packages of weights where it is loaded.

    Raises
    ------
    PersistenceError
        If a parameter, or something that was learned, cannot be saved; it is named.
    WeightsError
        If a backbone is not what it was in fit.
    OSError
        If the file cannot be written.

    See Also
    --------
    load : The way back.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sktransfer import TextEmbedder, load, save
    >>> texts, y = ["a cat", "a kitten", "tax return", "tax law"], [0, 0, 1, 1]
    >>> model = make_pipeline(TextEmbedder(cache=False), LogisticRegression()).fit(texts, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(model, f"{folder}/model.skt")
    ...     load(f"{folder}/model.skt").predict(["a dog", "the tax"]).tolist()
    [0, 1]
    """
    saved = Saved()
    tree = _tree(estimator, saved)
    check_round_trip(tree, type(estimator).__name__)
    needs = needs_of(saved.estimators)
    members = {ESTIMATOR: to_bytes(tree), **saved.members}
    if standalone:
        if saved.estimators and not any(e.__sklearn_is_fitted__() for e in saved.estimators):
            raise PersistenceError(
                "standalone=True packs the weights of the fit, and nothing is fitted here. Fit "
                "first, or save with standalone=False."
            )
        members |= _weights(list(needs.values()))
    manifest = Manifest.of(members, tuple(needs), types_of(tree), standalone)
    write_file({_manifest.NAME: manifest.to_bytes(), **members}, Path(path))


def _tree(estimator: Any, saved: Saved) -> Tree:
    try:
        with use_state_hooks(saved):
            return tree_of(estimator)
    except SktransferError as error:
        if not isinstance(error, PersistenceError):
            raise
        raise unsaveable(estimator, error) from error
    except Exception as error:  # of skops, or of whatever is in there
        raise unsaveable(estimator, error) from error


def _weights(backbones: list[Backbone]) -> dict[str, bytes]:
    members = {}
    for number, backbone in enumerate(backbones):
        packed = pack(backbone)
        # What cannot be built again is an error now, and not where it is to be used.
        unpack(packed, fingerprint=backbone.fingerprint)
        members[f"backbones/{number}.json"] = json.dumps(packed.about).encode()
        members[f"backbones/{number}.safetensors"] = tensors_to_bytes(packed.weights)
    return members
