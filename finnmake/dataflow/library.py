"""The transformations of hardware layers by name."""

from __future__ import annotations

from collections.abc import Mapping

from finnmake.dataflow.annotate_cycles import AnnotateCycles
from finnmake.dataflow.annotate_resources import AnnotateResources
from finnmake.dataflow.insert_fifos import InsertFIFO
from finnmake.dataflow.insert_width_converters import InsertDWC
from finnmake.dataflow.minimize_accumulator_width import MinimizeAccumulatorWidth
from finnmake.dataflow.minimize_weight_bit_width import MinimizeWeightBitWidth
from finnmake.dataflow.set_exec_mode import SetExecMode
from finnmake.dataflow.set_folding import SetFolding
from finnmake.transformation.base import Transformation

DATAFLOW_TRANSFORMATIONS: Mapping[str, type[Transformation]] = {
    kind.__name__: kind
    for kind in (
        AnnotateCycles,
        AnnotateResources,
        InsertDWC,
        InsertFIFO,
        MinimizeAccumulatorWidth,
        MinimizeWeightBitWidth,
        SetExecMode,
        SetFolding,
    )
}
"""Beside those of ``finnmake.transformation``."""
