"""What the tasks of layers share: where things are, which rules there are, which clock the design has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from finnmake.build.rules import Rule
from finnmake.flow.engines import Engines
from finnmake.flow.manifest import LayerEntry
from finnmake.flow.plan import TargetContext
from finnmake.resources import Resources


@dataclass(frozen=True)
class LayerContext(TargetContext):
    """What all layer tasks of an accelerator share.

    Attributes:
        resources: folders of rules, kernels and templates.
        rules: the rules by name.
        synthesis_flows: prefixes of synthesis rules; the first is the board's, the others are only reported.
        part: the board's FPGA.
        clock_mhz: clock of the accelerator.
        engines: what makes the cores.
        layers_task: what writes the layers' files.
        layers_folder: where they are.
        made_in: where what is made of the layers goes.
        prefix: of the names of their tasks.
    """

    resources: Resources
    rules: Mapping[str, Rule]
    synthesis_flows: tuple[str, ...]
    part: str
    clock_mhz: float
    engines: Engines
    layers_task: str = "layers"
    layers_folder: str = "layers"
    made_in: str = "layers"
    prefix: str = ""

    def synthesis_suffix(self, flow: str) -> str:
        """What distinguishes tasks and files of a flow from those of the board's."""
        return "" if flow == self.synthesis_flows[0] else f"_{flow}"

    def step(self, layer: LayerEntry, name: str) -> str:
        """Full name of a task of a layer."""
        return self.task(f"{self.prefix}{layer.name}.{name}")

    def file(self, layer: LayerEntry, name: str) -> str:
        """A file that is made of a layer, relative to the workspace."""
        return self.path(f"{self.made_in}/{layer.name}/{name}")

    def output(self, layer: LayerEntry, name: str) -> str:
        """Where an output of a layer goes, relative to the workspace."""
        return f"{self.folder}/{self.made_in}/{layer.name}/{name}"

    def layer_inputs(self, layer: LayerEntry) -> dict[str, str]:
        """The layer file and its parameters, as inputs of a Python action."""
        names = ["layer.json", *(f"{name}.npy" for name in layer.parameters)]
        return {name: self.path(f"{self.layers_folder}/{layer.name}/{name}") for name in names}


def kernel_files(resources: Resources, names: tuple[str, ...]) -> Mapping[str, str]:
    """Kernel sources as inputs: scratch path (file name) to the path of the file in the kernel library."""
    return _files(resources.hls_library, names)


@lru_cache
def _files(folder: Path, names: tuple[str, ...]) -> Mapping[str, str]:
    # Layers of one type have the same: there are few.
    return MappingProxyType({Path(name).name: str(folder / name) for name in names})
