"""A layer to the files of its IP core: Verilog top, configured top for synthesis, C++ top, memory images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from finnmake.codegen.constants import chunk_bits, chunk_names, constants_text
from finnmake.codegen.rendering import render
from finnmake.dataflow.layer import Layer
from finnmake.dataflow.layer_file import layer_files
from finnmake.dataflow.packing import memory_words


@dataclass(frozen=True)
class CoreTemplates:
    """The template files a core is rendered from."""

    verilog: Path
    configured: Path
    cpp: Path


def core_values(layer: Layer) -> dict[str, object]:
    """What the templates may use."""
    files, images = layer_files(layer), layer.memory_images()
    return {
        "core": files.core,
        "configured": files.configured,
        "op_type": layer.op_type,
        "kernel": layer.kernel,
        "parameters": layer.verilog_parameters(),
        "template_arguments": layer.cpp_template_arguments(),
        "header": f"{layer.kernel}.hpp",
        "memories": list(images),
        "memory_arguments": layer.cpp_memory_arguments(),
        "images": images,
        "chunk_bits": {name: chunk_bits(image) for name, image in images.items()},
        "chunks": {name: chunk_names(name, image) for name, image in images.items()},
        "inputs": layer.input_ports(),
        "outputs": layer.output_ports(),
        "ports": layer.input_ports() | layer.output_ports(),
        "interval": layer.interval_cycles(),
        "latency": layer.first_output_latency(),
    }


def render_core(layer: Layer, templates: CoreTemplates) -> dict[str, str]:
    """The core's files by name.

    ``core.v`` and ``top.cpp`` depend on the structure alone; ``configured.v`` names the parameters too; ``NAME.mem``
    is the image of a memory for ``$readmemh`` and ``NAME.inc`` the same as C++ constants.
    """
    values = core_values(layer)
    structural = {name: value for name, value in values.items() if name != "configured"}
    files = {
        "core.v": render(templates.verilog, structural),
        "top.cpp": render(templates.cpp, structural),
        "configured.v": render(templates.configured, values),
    }
    for name, image in layer.memory_images().items():
        words = memory_words(image)
        files[f"{name}.mem"] = "".join(f"{word}\n" for word in words)
        files[f"{name}.inc"] = constants_text(name, image)
    return files
