"""The tasks of the whole design: stitch, simulate, merge, place and route, pack, deploy, report."""

from __future__ import annotations

from collections.abc import Sequence

from finnmake.build.action import Action, Input, PythonCommand
from finnmake.deploy.board import Board, Implementation
from finnmake.flow.hls_tasks import memory_folder
from finnmake.flow.layer_context import LayerContext, kernel_files
from finnmake.flow.manifest import Manifest
from finnmake.flow.plan import PlannedTask
from finnmake.flow.stages import Stage


def plan_design(
    manifest: Manifest, context: LayerContext, board: Board, clock_mhz: float, *, cycle_model: bool
) -> list[PlannedTask]:
    """All tasks after the layers' own; those of the bitstream where the board has place and route.

    Args:
        manifest: of the layers.
        context: of the accelerator.
        board: that it is for.
        clock_mhz: its clock.
        cycle_model: there is one (``fifo_tasks``), to be set beside what is measured.
    """
    design = _Design(manifest, context, board, clock_mhz, cycle_model=cycle_model)
    # What an HLS tool writes is not clean of warnings: its cores are simulated, not linted.
    lint = [] if any(layer.is_hls for layer in manifest.layers) else [design.lint()]
    simulated = [design.stitch(), *lint, design.rtlsim_build(), design.rtlsim()]
    if board.implementation is None:
        return simulated
    return [
        *simulated,
        design.shell(),
        design.merge(),
        design.room(),
        design.place_and_route(),
        design.timing(),
        design.pack(),
        design.unpack(),
        design.repack(),
        design.check_bitstream(),
        design.deploy(),
        design.report(),
    ]


class _Design:
    def __init__(
        self, manifest: Manifest, context: LayerContext, board: Board, clock_mhz: float, *, cycle_model: bool
    ) -> None:
        self.manifest = manifest
        self.context = context
        self.board = board
        self.clock_mhz = clock_mhz
        self.cycle_model = cycle_model

    @property
    def implementation(self) -> Implementation:
        return self.board.require_implementation()

    # -- names -------------------------------------------------------------------------------------------------------
    def task(self, step: str) -> str:
        return self.context.task(step)

    def file(self, relative: str) -> str:
        return self.context.path(relative)

    def output(self, relative: str) -> str:
        return f"{self.context.folder}/{relative}"

    def layer_tasks(self, step: str) -> tuple[str, ...]:
        return tuple(self.task(f"{layer.name}.{step}") for layer in self.manifest.layers)

    def core_tasks(self, step: str) -> tuple[str, ...]:
        """A step of every layer; of one whose core an HLS tool makes, the step that has seen the core simulated."""
        return tuple(self.context.step(layer, "core" if layer.is_hls else step) for layer in self.manifest.layers)

    def layer_files(self, pattern: str, name: str) -> dict[str, str]:
        """One file of every layer, at a scratch path made of its position."""
        return {
            pattern.format(position): self.file(f"layers/{layer.name}/{name}")
            for position, layer in enumerate(self.manifest.layers)
        }

    # -- stitched design, simulated ------------------------------------------------------------------------------------
    def stitch(self) -> PlannedTask:
        return PlannedTask(
            name=self.task("stitch"),
            doc="connect the cores to one design",
            stage=Stage.STITCHED,
            after=(self.task("layers"),),
            action=Action(
                mnemonic="Stitch",
                command=PythonCommand("finnmake.codegen.actions:stitch", {}),
                inputs={
                    "manifest.json": self.file("manifest.json"),
                    "stitched.v.j2": self.context.resources.templates / "stitched.v.j2",
                },
                outputs={
                    "out/stitched.v": self.output("stitched/stitched.v"),
                    "out/stitched_configured.v": self.output("stitched/stitched_configured.v"),
                },
            ),
        )

    def lint(self) -> PlannedTask:
        cores: dict[str, str] = {}
        for layer in self.manifest.layers:
            cores.setdefault(f"{layer.core}.v", self.file(f"layers/{layer.name}/core.v"))
        return PlannedTask(
            name=self.task("lint"),
            doc="check how the stitched design connects its cores",
            stage=Stage.STITCHED,
            after=(self.task("stitch"), *self.layer_tasks("generate")),
            action=self.context.rules["verilator_lint_stitched"].action(
                parameters={"top": self.manifest.stitched, "cores": list(cores)},
                inputs={f"{self.manifest.stitched}.v": self.file("stitched/stitched.v"), **cores},
                outputs={"lint.txt": self.output("stitched/lint.txt")},
            ),
        )

    def rtlsim_build(self) -> PlannedTask:
        return PlannedTask(
            name=self.task("rtlsim_build"),
            doc="build the RTL simulation of the stitched design, out of those of its cores",
            stage=Stage.STITCHED,
            after=(self.task("stitch"), self.task("simulator"), self.task("linked_design")),
            action=self.context.rules["verilator_link"].action(
                parameters={"top": self.manifest.stitched},
                inputs={
                    "stitched.v": self.file("stitched/stitched.v"),
                    "verilated.a": self.file("simulator/verilated.a"),
                    "linked_design.o": self.file("simulator/linked_design.o"),
                },
                outputs={"model.so": self.output("stitched/rtlsim.so")},
            ),
        )

    def _simulated_cores(self) -> dict[str, str]:
        return {
            f"{layer.core}.so": self.file(f"layers/{layer.name}/rtlsim.so") for layer in reversed(self.manifest.layers)
        }

    def _images(self) -> dict[str, str]:
        return {
            f"layer_{position}_{memory}.mem": self.file(f"layers/{layer.name}/{memory}.mem")
            for position, layer in enumerate(self.manifest.layers)
            for memory in layer.memories
        }

    def _streamed_weights(self) -> dict[str, str]:
        return {
            f"{weights.stream.port}.npy": self.file(f"layers/{weights.layer}/streamed_weights.npy")
            for weights in self.manifest.weights
        }

    def _hls_memories(self) -> dict[str, Input]:
        folders: dict[str, Input] = {}
        for layer in self.manifest.layers:
            if layer.is_hls:
                folders |= memory_folder(layer, self.context)
        return folders

    def rtlsim(self) -> PlannedTask:
        return PlannedTask(
            name=self.task("rtlsim"),
            doc="simulate the stitched design on the samples; equal to the reference or it fails",
            stage=Stage.STITCHED,
            after=(
                self.task("rtlsim_build"),
                self.task("reference"),
                *([self.task("fifo_depths")] if self.cycle_model else []),
                *self.core_tasks("rtlsim_build"),
            ),
            action=Action(
                mnemonic="SimulateStitched",
                command=PythonCommand("finnmake.runtime.actions:simulate_stitched", {}),
                inputs={
                    "manifest.json": self.file("manifest.json"),
                    "samples.npy": self.file("reference/samples.npy"),
                    "expected.npy": self.file("reference/expected.npy"),
                    "reference.json": self.file("reference/reference.json"),
                    "rtlsim.so": self.file("stitched/rtlsim.so"),
                    **self._simulated_cores(),
                    **({"cycle_model.json": self.file("cycle_model.json")} if self.cycle_model else {}),
                    **self._images(),
                    **self._streamed_weights(),
                    **self._hls_memories(),
                },
                outputs={"out/rtlsim.json": self.output("stitched/rtlsim.json")},
            ),
        )

    # -- on the board ----------------------------------------------------------------------------------------------
    def shell(self) -> PlannedTask:
        return PlannedTask(
            name=self.task("shell"),
            doc=f"render the {self.implementation.shell} shell for {self.board.name}",
            stage=Stage.BITSTREAM,
            after=(self.task("layers"),),
            action=Action(
                mnemonic="RenderShell",
                command=PythonCommand("finnmake.deploy.actions:render_shell", {"clock_mhz": self.clock_mhz}),
                inputs={"manifest.json": self.file("manifest.json"), "board.toml": self.board.path},
                outputs={
                    "out/shell.v": self.output("design/shell.v"),
                    "out/shell.json": self.output("design/shell.json"),
                },
            ),
        )

    def merge(self) -> PlannedTask:
        netlists: dict[str, str] = {}
        for layer in self.manifest.layers:
            netlists.setdefault(f"{layer.configured}.il", self.file(f"layers/{layer.name}/netlist.il"))
        sources = {
            "shell.v": self.file("design/shell.v"),
            "stitched_configured.v": self.file("stitched/stitched_configured.v"),
            **kernel_files(self.context.resources, self.implementation.shell_files),
        }
        return PlannedTask(
            name=self.task("merge"),
            doc="link the cores' netlists, the stitched top and the shell",
            stage=Stage.BITSTREAM,
            after=(self.task("shell"), self.task("stitch"), *self.layer_tasks("synth")),
            action=self.context.rules[f"{self.board.flow}_merge"].action(
                parameters={"top": self.implementation.top, "netlists": list(netlists), "sources": list(sources)},
                inputs={**netlists, **sources},
                outputs={
                    "design.json": self.output("design/design.json"),
                    "netlist.v": self.output("design/netlist.v"),
                    "resources.json": self.output("design/resources.json"),
                },
            ),
        )

    def room(self) -> PlannedTask:
        return PlannedTask(
            name=self.task("room"),
            doc=f"check that {self.board.device} has room for the design",
            stage=Stage.BITSTREAM,
            after=(self.task("merge"),),
            action=Action(
                mnemonic="CheckRoom",
                command=PythonCommand("finnmake.deploy.actions:check_room"),
                inputs={"resources.json": self.file("design/resources.json"), "board.toml": self.board.path},
                outputs={"out/room.json": self.output("design/room.json")},
            ),
        )

    def place_and_route(self) -> PlannedTask:
        return PlannedTask(
            name=self.task("place_and_route"),
            doc=f"place and route for {self.board.device}",
            stage=Stage.BITSTREAM,
            after=(self.task("merge"), self.task("room")),
            action=self.context.rules[f"{self.board.flow}_place_and_route"].action(
                parameters={
                    **self.implementation.place_and_route,
                    "clock_mhz": f"{self.clock_mhz:g}",
                },
                inputs={
                    "design.json": self.file("design/design.json"),
                    "board.lpf": self.implementation.constraints,
                },
                outputs={
                    "design.config": self.output("design/design.config"),
                    "timing.json": self.output("design/place_and_route.json"),
                },
            ),
        )

    def timing(self) -> PlannedTask:
        return PlannedTask(
            name=self.task("timing"),
            doc=f"check that the clock of {self.clock_mhz:g} MHz is met",
            stage=Stage.BITSTREAM,
            after=(self.task("place_and_route"), self.task("shell")),
            action=Action(
                mnemonic="CheckTiming",
                command=PythonCommand("finnmake.deploy.actions:check_timing"),
                inputs={
                    "place_and_route.json": self.file("design/place_and_route.json"),
                    "shell.json": self.file("design/shell.json"),
                },
                outputs={"out/timing.json": self.output("design/timing.json")},
            ),
        )

    def pack(self) -> PlannedTask:
        return PlannedTask(
            name=self.task("bitstream"),
            doc="pack the bitstream",
            stage=Stage.BITSTREAM,
            after=(self.task("place_and_route"),),
            action=self.context.rules[f"{self.board.flow}_pack"].action(
                parameters={},
                inputs={"design.config": self.file("design/design.config")},
                outputs={"design.bit": self.output(f"{self.context.target}.bit")},
            ),
        )

    def unpack(self) -> PlannedTask:
        return PlannedTask(
            name=self.task("unpack"),
            doc="read the bitstream back",
            stage=Stage.BITSTREAM,
            after=(self.task("bitstream"),),
            action=self.context.rules[f"{self.board.flow}_unpack"].action(
                parameters={},
                inputs={"design.bit": self.file(f"{self.context.target}.bit")},
                outputs={"unpacked.config": self.output("design/unpacked.config")},
            ),
        )

    def repack(self) -> PlannedTask:
        return PlannedTask(
            name=self.task("repack"),
            doc="pack what was read back",
            stage=Stage.BITSTREAM,
            after=(self.task("unpack"),),
            action=self.context.rules[f"{self.board.flow}_repack"].action(
                parameters={},
                inputs={"unpacked.config": self.file("design/unpacked.config")},
                outputs={"repacked.bit": self.output("design/repacked.bit")},
            ),
        )

    def check_bitstream(self) -> PlannedTask:
        return PlannedTask(
            name=self.task("check_bitstream"),
            doc="compare what was read back with what was routed and packed",
            stage=Stage.BITSTREAM,
            after=(self.task("repack"),),
            action=self.context.rules[f"{self.board.flow}_check"].action(
                parameters={},
                inputs={
                    "design.config": self.file("design/design.config"),
                    "unpacked.config": self.file("design/unpacked.config"),
                    "design.bit": self.file(f"{self.context.target}.bit"),
                    "repacked.bit": self.file("design/repacked.bit"),
                },
                outputs={"check.json": self.output("design/bitstream_check.json")},
            ),
        )

    def deploy(self) -> PlannedTask:
        return PlannedTask(
            name=self.task("deploy"),
            doc="the folder to take to the board: bitstream, driver, description",
            stage=Stage.BITSTREAM,
            after=(self.task("bitstream"), self.task("check_bitstream"), self.task("shell"), self.task("timing")),
            action=Action(
                mnemonic="Deploy",
                command=PythonCommand("finnmake.deploy.actions:deploy", {"name": self.context.target}),
                inputs={
                    "manifest.json": self.file("manifest.json"),
                    "shell.json": self.file("design/shell.json"),
                    "timing.json": self.file("design/timing.json"),
                    "board.toml": self.board.path,
                    "driver.py": self.context.resources.driver,
                    "design.bit": self.file(f"{self.context.target}.bit"),
                    "check.json": self.file("design/bitstream_check.json"),
                },
                outputs={"out/deploy/": self.output("deploy")},
            ),
        )

    def report(self) -> PlannedTask:
        names = ("cppsim", "rtlsim", "resources")
        steps = ("cppsim", "rtlsim", "synth")
        inputs: dict[str, str] = {
            "manifest.json": self.file("manifest.json"),
            "stitched.json": self.file("stitched/rtlsim.json"),
            "reference.json": self.file("reference/reference.json"),
            "design.json": self.file("design/resources.json"),
            "timing.json": self.file("design/timing.json"),
            "check.json": self.file("design/bitstream_check.json"),
        }
        for name in names:
            inputs.update(self.layer_files(f"layer_{{}}_{name}.json", f"{name}.json"))
        after: Sequence[str] = [self.task(s) for s in ("rtlsim", "merge", "timing", "check_bitstream", "reference")]
        return PlannedTask(
            name=self.task("report"),
            doc="cycles, resources, clock and accuracy in one report",
            stage=Stage.BITSTREAM,
            after=(*after, *(name for step in steps for name in self.layer_tasks(step))),
            action=Action(
                mnemonic="Report",
                command=PythonCommand(
                    "finnmake.report.actions:report",
                    {"name": self.context.target, "board": self.board.name, "clock_mhz": self.clock_mhz},
                ),
                inputs=inputs,
                outputs={
                    "out/report.json": self.output("report.json"),
                    "out/report.txt": self.output("report.txt"),
                    "out/report.svg": self.output("report.svg"),
                },
            ),
        )
