"""What the qonnx package does of the same work, run by the Python of its environment: cleaning up and lowering.

    python compile_peer.py MODEL

prints JSON: ``total``, CPU seconds; ``stopped``, why it ended early. It does less than finnmake in the same row: no
streamlining, no thresholds, no hardware layers, which are FINN's own business.
"""

from __future__ import annotations

import json
import sys
import time

from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.batchnorm_to_affine import BatchNormToAffine
from qonnx.transformation.extract_conv_bias import ExtractBiasFromConv
from qonnx.transformation.gemm_to_matmul import GemmToMatMul
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.lower_convs_to_matmul import LowerConvsToMatMul
from qonnx.util.cleanup import cleanup_model

STEPS = (GemmToMatMul, ExtractBiasFromConv, BatchNormToAffine, LowerConvsToMatMul, InferShapes, InferDataTypes)


def main(path: str) -> None:
    """Measures and prints."""
    started = time.process_time()
    result: dict[str, float | str] = {}
    try:
        model = cleanup_model(ModelWrapper(path))
        for step in STEPS:
            model = model.transform(step())
        result["total"] = time.process_time() - started
    except Exception as error:  # noqa: BLE001 - another's code: whatever it raises, the row says so
        result["stopped"] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1])
