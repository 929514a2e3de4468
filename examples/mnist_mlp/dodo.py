"""The build file of this example: `doit`, or `finnmake build mnist_mlp`."""

from finnmake import Accelerator

mnist_mlp = Accelerator(
    model="mnist_mlp.onnx",
    board="ulx3s-85f",
    clock_mhz=50,
    fold="fold.json",  # or fold="auto", target_fps=10_000
    samples="test_images.npy",
    labels="test_labels.npy",
)
