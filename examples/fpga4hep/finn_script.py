"""A FINN user's script on finnmake: one jet tagger, transformation by transformation, to hardware layers.

    python finn_script.py 4

executes the model as it was exported and the hardware layers on every sample, and fails unless all integers are equal.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from finnmake.errors import FinnmakeError
from finnmake.graph.model_wrapper import ModelWrapper
from finnmake.runtime.execute import execute_onnx
from finnmake.transformation import (
    ConvertBipolarMatMulToXnorPopcount,
    FoldConstants,
    GiveReadableTensorNames,
    GiveUniqueNodeNames,
    InferDataTypes,
    InferShapes,
    RoundAndClipThresholds,
    Streamline,
    absorb,
    to_hls,
)

FOLDER = Path(__file__).resolve().parent
BIT_WIDTHS = (2, 4, 6, 8)


def hardware_layers(bw: int, folder: Path = FOLDER) -> ModelWrapper:
    """The script: the tagger of ``bw`` bits as a graph of hardware layers."""
    model = ModelWrapper(folder / ("fpga4hep-bw%d.onnx" % bw))  # noqa: UP031 (as FINN's users write it)
    model = model.transform(InferShapes())
    model = model.transform(FoldConstants())
    model = model.transform(GiveUniqueNodeNames())
    model = model.transform(GiveReadableTensorNames())
    model = model.transform(InferDataTypes())
    model = model.transform(Streamline())
    model = model.transform(ConvertBipolarMatMulToXnorPopcount())
    model = model.transform(absorb.AbsorbAddIntoMultiThreshold())
    model = model.transform(absorb.AbsorbMulIntoMultiThreshold())
    model = model.transform(RoundAndClipThresholds())
    model = model.transform(to_hls.InferBinaryStreamingFCLayer())
    return model.transform(to_hls.InferQuantizedStreamingFCLayer())


def scores(model: ModelWrapper, samples: np.ndarray) -> np.ndarray:
    """What a model gives for all samples, shape (samples, classes)."""
    source, output = model.graph.inputs[0].name, model.graph.outputs[0].name
    return execute_onnx(model, {str(source): samples.astype(np.float32)})[str(output)]


def main(arguments: list[str] | None = None) -> int:
    """Runs the script; returns the exit status."""
    parser = argparse.ArgumentParser(description="A jet tagger, from its model to hardware layers.")
    parser.add_argument("bw", type=int, choices=BIT_WIDTHS, help="bits of weights and activations")
    bw: int = parser.parse_args(arguments).bw
    samples, labels = np.load(FOLDER / "test_jets.npy"), np.load(FOLDER / "test_labels.npy")
    try:
        reference = scores(ModelWrapper(FOLDER / f"fpga4hep-bw{bw}.onnx"), samples)
        layers = hardware_layers(bw)
        found = scores(layers, samples)
    except FinnmakeError as error:
        print(f"finn_script.py: {error.text}", file=sys.stderr)
        return 1
    for node in layers.graph:
        print(f"{node.domain}  {node.name}")
    different = int((found != reference).any(axis=1).sum())
    accuracy = float((found.argmax(axis=1) == labels).mean())
    print(f"{len(samples)} jets, accuracy {accuracy:.1%}, {different} differ from the model")
    others = [node.name for node in layers.graph if node.domain != "finnmake.dataflow"]
    if others:
        print(f"finn_script.py: no hardware layers: {', '.join(map(str, others))}", file=sys.stderr)
    return 1 if different or others else 0


if __name__ == "__main__":
    sys.exit(main())
