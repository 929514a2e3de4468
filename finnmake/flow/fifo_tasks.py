"""The tasks that find FIFO depths: the layers without FIFOs, the schedule of each of their cores, the depths.

A core is measured once, however many layers have it, and again only when its own structure changes. FIFOs change no
other layer: the tasks of all but them are planned here, too, and wait for no depths.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from finnmake.build.action import Action, PythonCommand
from finnmake.flow.commands import model_command
from finnmake.flow.compile_tasks import Json, Step, compile_once, graph_inputs, user_file
from finnmake.flow.layer_context import LayerContext
from finnmake.flow.layer_tasks import plan_layer, plan_simulation
from finnmake.flow.manifest import RTL, LayerEntry, Manifest
from finnmake.flow.plan import PlannedTask
from finnmake.flow.plan_memo import PlanMemo
from finnmake.flow.stages import Stage

WAYS = ("auto", "measured", "estimated")
"""How depths are found; ``auto`` measures except for chains of dense layers: there one vector each is enough."""

UNBUFFERED = "unbuffered"
"""The task, and the folder, of the layers without FIFOs."""

DEPTHS_FILE = "fifo_depths.json"

FIFO = "StreamingFIFO"

_DENSE = frozenset({"MatrixVectorActivation", "Thresholding", "LabelSelect", "StreamingDataWidthConverter", FIFO})


@dataclass(frozen=True)
class FifoChoice:
    """What a build file says of FIFO depths.

    Attributes:
        way: one of ``WAYS``.
        depths: of streams whose depth is not to be found, by layers.
        file: that has them, instead of ``depths``.
    """

    way: str
    depths: Mapping[str, Json] | None = None
    file: Path | None = None

    def measures(self, unbuffered: Manifest | None) -> bool:
        """Whether the cores of these layers are measured."""
        if self.way == "estimated" or unbuffered is None:
            return False
        return self.way == "measured" or any(
            layer.op_type not in _DENSE or len(layer.inputs) > 1 for layer in unbuffered.layers
        )

    def insert_step(self, unbuffered: Manifest | None, context: LayerContext) -> Step:
        """The transformation that inserts the FIFOs; behind the layers without them, which say how depths are found."""
        if self.measures(unbuffered):
            file = {DEPTHS_FILE: context.path(DEPTHS_FILE)}
            return Step("InsertFIFO", {"file": DEPTHS_FILE}, Stage.LAYERS, file, after=("fifo_depths",))
        after = () if self.way == "estimated" else (UNBUFFERED,)
        return Step("InsertFIFO", self._given(), Stage.LAYERS, self._files(), after=after)

    def _given(self) -> dict[str, Json]:
        if self.file is not None:
            return {"file": user_file(self.file)}
        return {} if self.depths is None else {"depths": self.depths}

    def _files(self) -> dict[str, Path]:
        return {} if self.file is None else {user_file(self.file): self.file}

    def plan(
        self, previous: str, graph: str, manifest: Manifest | None, context: LayerContext, memo: PlanMemo
    ) -> list[PlannedTask]:
        """The tasks between the folded graph and its FIFOs; of measured depths also those of all layers but FIFOs.

        Args:
            previous: the task that makes the folded graph.
            graph: its file.
            manifest: of the layers without FIFOs, where it is known.
            context: of the accelerator.
            memo: of the accelerator.
        """
        if self.way == "estimated":
            return []
        tasks = [_unbuffered(previous, graph, context)]
        if manifest is None or not self.measures(manifest):
            return tasks
        own = replace(context, layers_task=UNBUFFERED, layers_folder=f"{UNBUFFERED}/layers")
        # A model may have FIFOs of its own: behind InsertFIFO they have other numbers.
        apart = replace(own, made_in=own.layers_folder, prefix=f"{UNBUFFERED}.")
        first = {layer.core: layer for layer in reversed(manifest.layers)}
        measured = {core: (layer, apart if layer.op_type == FIFO else own) for core, layer in first.items()}
        for layer in manifest.layers:
            is_measured, where = first[layer.core] is layer, apart if layer.op_type == FIFO else own
            measurement = memo.plan(_plan_measurement, layer, where) if is_measured else []
            others = [] if layer.op_type == FIFO else memo.plan(plan_layer, layer, own)
            earlier = {task.name for task in measurement}
            tasks += [*measurement[:-1], *(task for task in others if task.name not in earlier), *measurement[-1:]]
        tasks.append(_solver(context))
        tasks.append(self._sizing(measured, context))
        return tasks

    def _sizing(self, cores: Mapping[str, tuple[LayerEntry, LayerContext]], context: LayerContext) -> PlannedTask:
        schedules = {f"schedules/{core}.json": own.file(layer, "schedule.json") for core, (layer, own) in cores.items()}
        return PlannedTask(
            name=context.task("fifo_depths"),
            doc="compose the schedules of all cores: FIFO depths, interval, latency",
            stage=Stage.LAYERS,
            after=(
                context.task(UNBUFFERED),
                context.task("stream_timing"),
                *(own.step(layer, "schedule") for layer, own in cores.values()),
            ),
            action=Action(
                mnemonic="FifoDepths",
                command=PythonCommand("finnmake.runtime.timing_actions:size_fifos", self._given()),
                inputs={
                    "manifest.json": context.path(f"{UNBUFFERED}/manifest.json"),
                    "stream_timing.so": context.path("simulator/stream_timing.so"),
                    **schedules,
                    **self._files(),
                },
                outputs={
                    f"out/{DEPTHS_FILE}": f"{context.folder}/{DEPTHS_FILE}",
                    "out/cycle_model.json": f"{context.folder}/cycle_model.json",
                },
            ),
        )


def _unbuffered(previous: str, graph: str, context: LayerContext) -> PlannedTask:
    return PlannedTask(
        name=context.task(UNBUFFERED),
        doc="write one layer file a layer, before there are FIFOs",
        stage=Stage.LAYERS,
        after=(previous,),
        expands=True,
        action=Action(
            mnemonic="Layers",
            command=model_command("finnmake.flow.actions:write_layers", {"engines": RTL}),
            inputs=graph_inputs(previous, graph, context),
            outputs={
                "out/manifest.json": f"{context.folder}/{UNBUFFERED}/manifest.json",
                "out/layers/": f"{context.folder}/{UNBUFFERED}/layers",
            },
        ),
    )


def _plan_measurement(layer: LayerEntry, context: LayerContext) -> list[PlannedTask]:
    return [*plan_simulation(layer, context), _schedule(layer, context)]


def _schedule(layer: LayerEntry, context: LayerContext) -> PlannedTask:
    return PlannedTask(
        name=context.step(layer, "schedule"),
        doc=f"measure the schedule of {layer.core} in RTL",
        stage=Stage.LAYERS,
        after=(context.step(layer, "rtlsim_build"),),
        action=Action(
            mnemonic="MeasureSchedule",
            command=PythonCommand(
                "finnmake.runtime.schedule_actions:measure_core",
                {
                    "inputs": [stream.words_per_frame for stream in layer.inputs],
                    "outputs": [stream.words_per_frame for stream in layer.outputs],
                    "memories": list(layer.memories),
                    "core": layer.core,
                },
            ),
            inputs={"rtlsim.so": context.file(layer, "rtlsim.so")},
            outputs={"out/schedule.json": context.output(layer, "schedule.json")},
        ),
    )


def _solver(context: LayerContext) -> PlannedTask:
    doc = "what computes the timing of streams"
    return compile_once(context, "stream_timing", "stream_timing", "stream_timing.so", Stage.LAYERS, doc)
