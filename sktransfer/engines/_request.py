"""What is asked of an engine: one layer of one network, pooled."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sktransfer.cache import space_key
from sktransfer.engines._asked import OPENVINO, engine_name

if TYPE_CHECKING:
    import numpy as np
    import torch

    from sktransfer.backbones import Backbone

# Of what lies on the disk. Raise it when older files must not be read any more.
_FORMAT = 1


@dataclass(frozen=True)
class Request:
    """One layer of one network, pooled, for OpenVINO to run.

    Parameters
    ----------
    backbone : Backbone
        The network.
    layer : str or int
        "pooled", or the name or index of a stage.
    pooling : str
        How a stage's output becomes one vector.
    size : tuple of int, optional
        Height and width of images.
    precision : {"float32", "bfloat16"}
        How precisely it is run.
    device : torch.device
        The CPU.
    folder : Path, optional
        Where converted networks are kept: the folder of the cache; None for nowhere.
    """

    backbone: Backbone
    layer: str | int
    pooling: str
    size: tuple[int, int] | None
    precision: str
    device: torch.device
    folder: Path | None = None

    @cached_property
    def name(self) -> str:
        """What tells the converted network from all others, for any precision."""
        return space_key(
            format=_FORMAT,
            fingerprint=self.backbone.fingerprint,
            layer=self.backbone.resolve(self.layer),
            pooling=self.pooling,
            size=repr(self.size),
            engine=engine_name(OPENVINO, self.device),
            library=self.backbone.library,
        ).hex()

    def get_ready(self) -> None:
        """Convert the network unless that was done, and see that it computes as torch does.

        Raises
        ------
        EngineError
            If it cannot be converted, or gives other features.
        """
        from sktransfer.engines._converted import converted

        converted(self)

    def run(self, inputs: Any) -> np.ndarray:
        """Return one feature vector a row.

        Parameters
        ----------
        inputs : Tensor or mapping of str to Tensor
            As `Backbone.extract` takes them.

        Returns
        -------
        ndarray of shape (n, d), float32

        Raises
        ------
        EngineError
            If it fails on these rows for another reason than a lack of memory.
        """
        from sktransfer.engines._converted import converted
        from sktransfer.engines._whole import plain

        arrays = [tensor.numpy() for tensor in plain(inputs)]
        rows = None
        while rows is None:  # while another thread has broken what this one was given
            rows = converted(self).run(*arrays)
        return rows
