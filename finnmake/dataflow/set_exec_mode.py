"""SetExecMode: which engine executes the hardware layers."""

from __future__ import annotations

import onnx_ir as ir

from finnmake.dataflow.nodes import is_hardware
from finnmake.errors import ModelError
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.transformation.base import Rewrite

EXEC_MODE = "exec_mode"
"""The attribute of a hardware node that names its engine."""

EXEC_MODES = ("python", "cppsim", "rtlsim")
"""NumPy, the core's C++, the core's Verilog."""


class SetExecMode(Rewrite):
    """Sets the engine of all hardware layers, or of some.

    Args:
        mode: ``python``, ``cppsim`` or ``rtlsim``.
        nodes: names of the nodes to set; all hardware layers where None.

    Precondition: hardware layers. To execute the model, ``CompileCppSim`` or ``PrepareRTLSim``.
    Postcondition: same outputs, same layers.

    Raises:
        ModelError: for another mode, or a name that no hardware layer has.
    """

    def __init__(self, mode: str, nodes: list[str] | None = None) -> None:
        if mode not in EXEC_MODES:
            raise ModelError(f"no execution mode is called {mode!r}", remedy=f"Known: {', '.join(EXEC_MODES)}.")
        self._mode = mode
        self._nodes = nodes

    def rewrite(self, model: ModelWrapper) -> None:
        """Changes the copy in place."""
        layers = {str(node.name): node for node in model.graph if is_hardware(node)}
        for name in layers if self._nodes is None else self._nodes:
            if name not in layers:
                raise ModelError(f"no layer is called {name!r}", remedy=f"The layers: {', '.join(layers)}.")
            layers[name].attributes.add(ir.AttrString(EXEC_MODE, self._mode))
