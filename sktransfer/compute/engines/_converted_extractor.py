"""Features of a layer of a frozen network, computed by OpenVINO."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from sktransfer._warnings import warn
from sktransfer.cache import FeatureCache, NoCache
from sktransfer.compute._extractor import FeatureExtractor
from sktransfer.compute._plan import RowPlan
from sktransfer.compute.engines._engine_names import openvino_name
from sktransfer.exceptions import EngineError, EngineWarning


@dataclass(frozen=True)
class ConvertedExtractor(FeatureExtractor):
    """Features computed by OpenVINO.

    Parameters
    ----------
    cache : FeatureCache
        Where converted networks are kept.
    """

    cache: FeatureCache = field(default_factory=NoCache)

    @property
    def engine(self) -> str:
        """Name and version of OpenVINO, and of torch, which the network is converted from."""
        return openvino_name(self.device)

    def parallelism(self, batch_size: int | str) -> int:
        """Return 1: OpenVINO distributes its threads itself."""
        return 1

    def ready(self, plan: RowPlan) -> FeatureExtractor:
        """Convert the network; on failure, look up torch's rows, and warn if some are missing."""
        from sktransfer.compute.engines._converted import converted

        try:
            converted(self._by_torch, self.cache)
        except EngineError as error:
            plan.look_in(self._by_torch.space)
            if plan.todo:
                warn(
                    f"OpenVINO cannot run {self.backbone.name!r} (layer={self.layer!r}, pooling="
                    f"{self.pooling!r}), and torch computes in its place: "
                    f"{str(error).rstrip('.')}. Set engine='torch' to avoid the attempt.",
                    EngineWarning,
                )
            return self._by_torch
        return self

    def features(self, inputs: Any) -> np.ndarray:
        """Return one vector per row, float32."""
        from sktransfer.compute.engines._converted import run

        return run(self._by_torch, self.cache, inputs)

    @cached_property
    def _by_torch(self) -> FeatureExtractor:
        how = (self.modality, self.backbone, self.layer, self.pooling)
        return FeatureExtractor(*how, self.device, self.precision)
