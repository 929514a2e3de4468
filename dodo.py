"""The build file of this repository: its first example, as doit tasks."""

from pathlib import Path

from finnmake.flow.build_files import load_build_file

globals().update(load_build_file(Path("examples/mnist_mlp/dodo.py")))
