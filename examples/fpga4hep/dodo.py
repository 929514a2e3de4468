"""The script of ``finn_script.py`` as a build for each bit width, one cached action a transformation; accelerators.

``doit fpga4hep_bw4_script`` ends in the graph of hardware layers, compared with the model on every sample;
``doit fpga4hep_bw4`` in a bitstream, made of the automatic flow. The tagger of 8 bits has no accelerator here: it
is estimated to fit the board (``README.md``), but has not been synthesised.
"""

from finnmake import Accelerator, Transformations

SCRIPT = (
    "InferShapes",
    "FoldConstants",
    "GiveUniqueNodeNames",
    "GiveReadableTensorNames",
    "InferDataTypes",
    "Streamline",
    "ConvertBipolarMatMulToXnorPopcount",
    "absorb.AbsorbAddIntoMultiThreshold",
    "absorb.AbsorbMulIntoMultiThreshold",
    "RoundAndClipThresholds",
    "to_hls.InferBinaryStreamingFCLayer",
    "to_hls.InferQuantizedStreamingFCLayer",
)

for bw in (2, 4, 6, 8):
    model = f"fpga4hep-bw{bw}.onnx"
    globals()[f"script_bw{bw}"] = Transformations(
        model=model, name=f"fpga4hep_bw{bw}_script", transformations=SCRIPT, samples="test_jets.npy"
    )
    if bw < 8:
        globals()[f"accelerator_bw{bw}"] = Accelerator(
            model=model,
            name=f"fpga4hep_bw{bw}",
            board="ulx3s-85f",
            target_fps=1_000_000,
            samples="test_jets.npy",
            labels="test_labels.npy",
        )
