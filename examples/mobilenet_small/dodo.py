"""The build file of this example: `doit`, or `finnmake build mobilenet_small`."""

from finnmake import Accelerator

mobilenet_small = Accelerator(
    model="mobilenet_small.onnx",
    board="ulx3s-85f",
    clock_mhz=50,
    target_fps=5000,
    samples="test_images.npy",
    labels="test_labels.npy",
)
