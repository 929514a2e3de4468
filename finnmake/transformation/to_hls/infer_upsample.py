"""Resize to whole multiples as UpsampleNearestNeighbour."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from finnmake.graph.custom_op import attribute
from finnmake.graph.model_wrapper import ModelWrapper, get_datatype, get_shape
from finnmake.graph.standard_ops import StandardRun
from finnmake.transformation.hardware import integer_frame, replace_by_hardware
from finnmake.transformation.to_hls.infer_layer import InferLayer, Refusal


class InferUpsample(InferLayer):
    """Makes every Resize or Upsample that repeats each pixel of an image (1, H, W, C) an UpsampleNearestNeighbour.

    Which pixel is the nearest is ONNX's business and depends on several attributes: the node itself is asked.

    Precondition: channels are innermost (``LowerToChannelsLast``), datatypes are annotated.
    Postcondition: same outputs; SIMD is 1.
    """

    op_types = ("Resize", "Upsample")

    def infer(self, model: ModelWrapper, node: ir.Node) -> Refusal | None:
        """A layer for one Resize or Upsample."""
        source = node.inputs[0]
        shape, result = integer_frame(source), get_shape(node.outputs[0])
        if source is None or shape is None or result is None:
            return None
        if len(shape) != 4 or str(attribute(node, "mode", "nearest")) != "nearest":
            return Refusal("interpolates, or resizes no image", "Use mode nearest on an image.")
        (_, rows, columns, channels), (_, more_rows, more_columns, same) = shape, result
        if same != channels or more_rows % rows or more_columns % columns:
            return Refusal(
                f"makes {more_rows} x {more_columns} pixels of {rows} x {columns}", "Enlarge by whole factors."
            )
        if not _repeats(node, source, shape, result, model.model.opset_imports.get("", 1)):
            return Refusal(
                "does not repeat each pixel as often",
                "Use coordinate_transformation_mode asymmetric and nearest_mode floor.",
            )
        structure: dict[str, int | str | bool] = {
            "HI": rows,
            "WI": columns,
            "HO": more_rows,
            "WO": more_columns,
            "NumChannels": channels,
            "SIMD": 1,
            "inputDataType": get_datatype(source).name,
        }
        replace_by_hardware([node], "UpsampleNearestNeighbour", [source], structure, get_datatype(source))
        return None


def _repeats(node: ir.Node, source: ir.Value, shape: tuple[int, ...], result: tuple[int, ...], opset: int) -> bool:
    """True where the node gives every pixel as often as its output is larger, tried with a number for each pixel."""
    _, rows, columns, channels = shape
    pixels = np.arange(rows * columns, dtype=np.float32).reshape(1, rows, columns, 1).repeat(channels, axis=3)
    run = StandardRun([node], [node.outputs[0]], opset)
    made = run([pixels])[0] if run.inputs == [source] else None
    expected = pixels.repeat(result[1] // rows, axis=1).repeat(result[2] // columns, axis=2)
    return made is not None and np.array_equal(made, expected)
