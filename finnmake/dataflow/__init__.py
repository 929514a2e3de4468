"""Hardware layers: one class per layer type, what it states (streams, cycles, memories) and its NumPy reference.

``layer`` is the contract, ``registry`` lists the classes, ``layer_file`` is a layer's canonical text, ``nodes``
connects layers to ONNX nodes. Transformations of hardware layers, one file each, complete a folded graph with width
converters and FIFOs, narrow datatypes, annotate: ``from finnmake.dataflow import AnnotateCycles, getCustomOp`` finds
each by its name. ``hardware_node``, ``stream_shapes`` and ``data_packing`` have what FINN users know of nodes, shapes
and packed words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finnmake.dataflow.annotate_cycles import AnnotateCycles as AnnotateCycles
    from finnmake.dataflow.annotate_resources import AnnotateResources as AnnotateResources
    from finnmake.dataflow.hardware_node import getCustomOp as getCustomOp
    from finnmake.dataflow.insert_fifos import InsertFIFO as InsertFIFO
    from finnmake.dataflow.insert_width_converters import InsertDWC as InsertDWC
    from finnmake.dataflow.minimize_accumulator_width import MinimizeAccumulatorWidth as MinimizeAccumulatorWidth
    from finnmake.dataflow.minimize_weight_bit_width import MinimizeWeightBitWidth as MinimizeWeightBitWidth
    from finnmake.dataflow.set_exec_mode import SetExecMode as SetExecMode
    from finnmake.dataflow.set_folding import SetFolding as SetFolding


def __getattr__(name: str) -> object:
    # On demand: a module that needs one layer does not depend on all transformations.
    if name == "getCustomOp":
        from finnmake.dataflow.hardware_node import getCustomOp

        return getCustomOp
    if not name.startswith("_"):
        from finnmake.dataflow.library import DATAFLOW_TRANSFORMATIONS

        if name in DATAFLOW_TRANSFORMATIONS:
            return DATAFLOW_TRANSFORMATIONS[name]
    raise AttributeError(f"module 'finnmake.dataflow' has no attribute {name!r}")
