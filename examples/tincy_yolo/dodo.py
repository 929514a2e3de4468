"""The build file of this example: first `python -m examples.tincy_yolo.model`, which writes model and sample."""

from finnmake import Accelerator

tincy_yolo = Accelerator(
    model="tincy_yolo.onnx",
    board="ultra96",
    clock_mhz=250,
    target_fps=30,
    samples="sample.npy",
)
