"""The build file of this example: first `python -m examples.resnet50.model`, which writes model and sample."""

from finnmake import Accelerator

resnet50 = Accelerator(
    model="resnet50.onnx",
    board="alveo-u250",
    clock_mhz=195,
    target_fps=2000,
    samples="sample.npy",
)
