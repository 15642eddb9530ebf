"""Interface of a target: encoding of y, loss, decoding and score."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    import torch

    from sktransfer.backbones import Level


class Target(ABC):
    """One kind of y; subclasses are frozen dataclasses of what they learned from it.

    A new target is a file here, with a line in the table `TARGETS`.

    Attributes
    ----------
    kind : str
        Name in the table.
    level : {"row", "token", "place"}
        What has a label: a row, each token of it, or each place of its map.
    estimator_type : {"classifier", "regressor"}
        What scikit-learn calls an estimator of such targets.
    stratifies : bool
        Whether encoded targets are one class per row, to stratify validation rows by.
    n_outputs : int
        Number of outputs of the head, per row, token or place.
    """

    kind: ClassVar[str]
    level: ClassVar[Level] = "row"
    estimator_type: ClassVar[str] = "classifier"
    stratifies: ClassVar[bool] = False

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Number of outputs of the head."""

    @property
    def units(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Factor and offset from outputs of the head to targets; None where they are scores."""
        return None

    @abstractmethod
    def encode(self, y: Any, outlines: Sequence[Any] | None = None) -> Any:
        """Return targets with one entry per row.

        Parameters
        ----------
        y : array-like
            As users write it.
        outlines : sequence, optional
            For levels below the row, what the modality tells of each row's cell: a text's words,
            or an image's height and width. None where a cell failed.

        Returns
        -------
        Tensor, or sequence of Tensor
            A sequence where entries differ in length.

        Raises
        ------
        TargetError
            Naming the row that cannot be learned.
        """

    @abstractmethod
    def row_loss(
        self, outputs: torch.Tensor, targets: torch.Tensor, label_smoothing: float
    ) -> torch.Tensor:
        """Return the loss of each row (n,), given outputs of the head and a batch of targets."""

    def to_proba(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the probabilities of outputs, or the outputs themselves where there are none."""
        return outputs

    def to_labels(self, proba: np.ndarray) -> np.ndarray:
        """Return predictions, encoded as `encode` does it, from `to_proba`."""
        return proba

    @abstractmethod
    def bias(self, targets: Any, weights: torch.Tensor) -> torch.Tensor:
        """Return the outputs (n_outputs,) that fit best if nothing is known of a row."""

    @abstractmethod
    def score(self, outputs: Any, targets: Any, weights: np.ndarray) -> float:
        """Return a score of validation outputs, the higher the better."""

    def batch(self, targets: Any, rows: Sequence[int]) -> torch.Tensor:
        """Return the targets of some rows as one tensor, padded if they differ in length."""
        return targets[list(rows)]

    def join(self, parts: Sequence[np.ndarray]) -> Any:
        """Return the outputs or targets of several batches together, for `score`."""
        return np.concatenate(parts)

    def to_dict(self) -> dict[str, Any]:
        """Return the target as plain data: its kind, arrays, numbers and strings."""
        return {"kind": self.kind, **vars(self)}
