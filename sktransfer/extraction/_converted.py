"""What a layer of a frozen network gives where another engine than torch runs it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sktransfer import _runtime
from sktransfer.engines import OPENVINO, Request, engine_name
from sktransfer.exceptions import EngineError, EngineWarning
from sktransfer.extraction._extraction import Extraction
from sktransfer.extraction._failures import Failures
from sktransfer.extraction._once import Computed
from sktransfer.extraction._reader import Due, Reading

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class ConvertedExtraction(Extraction):
    """An extraction by OpenVINO.

    Parameters
    ----------
    folder : Path, optional
        Where converted networks are kept; None for nowhere.
    """

    folder: Path | None = None

    @property
    def engine(self) -> str:
        """What computes, with its version."""
        return engine_name(OPENVINO, self.device)

    def get_ready(self) -> Extraction:
        """Return this, or torch in its place where the network cannot be converted."""
        try:
            self._request.get_ready()
        except EngineError as error:
            shared = (self.reader, self.backbone, self.layer, self.pooling)
            return _InPlace(*shared, self.device, self.precision, reason=str(error))
        return self

    @property
    def _streams(self) -> int:
        return 1  # OpenVINO shares its threads out itself

    @cached_property
    def _request(self) -> Request:
        return Request(
            self.backbone,
            self.layer,
            self.pooling,
            size=getattr(self.reader.recipe(self.backbone), "size", None),
            precision=self.precision,
            device=self.device,
            folder=self.folder,
        )

    def _features(self, batch: Any) -> np.ndarray:
        with _runtime.inference(self.device, "float32"):  # what comes before the network
            inputs = self.reader.inputs(batch, self.backbone, self.device)
        return self._request.run(inputs)


@dataclass(frozen=True)
class _InPlace(Extraction):
    """An extraction by torch that was asked of OpenVINO: it says so where it computes."""

    reason: str = ""

    def compute(
        self,
        reading: Reading,
        rows: Sequence[int],
        failures: Failures,
        advance: Callable[[int], None],
        due: Due | None = None,
    ) -> Iterator[Computed]:
        """Yield features as torch computes them, after a warning if there are any."""
        if rows:
            warnings.warn(
                f"OpenVINO cannot run {self.backbone.name!r} (layer={self.layer!r}, pooling="
                f"{self.pooling!r}), and torch computes in its place: {self.reason.rstrip('.')}. "
                "With engine='torch' nobody tries.",
                EngineWarning,
                stacklevel=2,
            )
        yield from super().compute(reading, rows, failures, advance, due)
