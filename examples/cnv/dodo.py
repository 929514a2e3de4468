"""The build file of this example: `doit`, or `finnmake build cnv_w1a1`."""

from finnmake import Accelerator

for variant in ("w1a1", "w1a2", "w2a2"):
    globals()[variant] = Accelerator(
        model=f"cnv-{variant}.onnx",
        name=f"cnv_{variant}",
        board="ulx3s-85f",
        clock_mhz=50,
        target_fps=2000,
        samples="test_images.npy",
        labels="test_labels.npy",
    )
