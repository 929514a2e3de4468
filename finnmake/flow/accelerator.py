"""What a user writes in ``dodo.py``: one accelerator, from its model to its bitstream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from finnmake.build.workspace import Workspace
from finnmake.deploy.board import Board, load_board
from finnmake.errors import BuildFileError
from finnmake.flow.arguments import (
    COUNT,
    FLAG,
    NUMBER,
    PATH,
    TEXT,
    Argument,
    is_number,
    is_path,
    is_table_of_tables,
    is_table_of_texts,
    is_text,
    is_texts,
)
from finnmake.flow.compile_tasks import FOLDING_FILE, Json, ModelSource, Step, plan_compile, step_output, user_file
from finnmake.flow.design_tasks import plan_design
from finnmake.flow.engine_rules import check_engines
from finnmake.flow.engines import Engines, only_rtl
from finnmake.flow.fifo_tasks import DEPTHS_FILE, UNBUFFERED, WAYS, FifoChoice
from finnmake.flow.layer_context import LayerContext
from finnmake.flow.layer_tasks import plan_layer
from finnmake.flow.manifest import RTL, Manifest, read_manifest
from finnmake.flow.plan import PlannedTask
from finnmake.flow.plan_memo import PlanMemo
from finnmake.flow.resource_table_task import FINN_FOLDINGS, FINN_REPORTS, plan_resource_table
from finnmake.flow.stages import STAGE_NAMES, Stage
from finnmake.flow.steps import COMPLETE, behind_own_steps, compile_steps
from finnmake.flow.target import Target
from finnmake.flow.transformation_steps import TransformationEntry, transformation_steps
from finnmake.resources import Resources, find_resources


@dataclass(frozen=True, kw_only=True)
class Accelerator(Target):
    """One accelerator of a build file; doit takes its tasks from it.

    Attributes:
        model: the ONNX file, relative to ``directory``.
        board: name of a board.
        name: of the target; by default the model's file name up to its first dot, as an identifier.
        clock_mhz: clock of the accelerator; the board's default where None.
        fold: a folding file (JSON), a mapping ``{layer: {"PE": .., "SIMD": ..}}``, or ``"auto"``.
        target_fps: frames per second that automatic folding reaches with the least hardware; without it, as many as
            the board has room for. Not beside another ``fold``.
        fifo_depths: how FIFO depths are found: ``"measured"``, from the schedule of every core, measured in RTL, as
            few words as let the design run at its slowest layer's interval; ``"estimated"``, from what the layers
            state; ``"auto"``, measured except for chains of dense layers and with cores by an HLS tool. Or a file
            (JSON) or a mapping ``{layer: {"inFIFODepths": [one for each input]}}`` with depths that are to stay, the
            others as in ``"auto"``.
        samples: ``.npy`` of inputs that every simulation is verified on; random inputs where None.
        labels: ``.npy`` of class labels of the samples, for the accuracy in the report; only with samples.
        input_datatype: datatype of the integers that the hardware takes; found from the model where None.
        input_scale: what one integer step of the input means to the model; found from the model where None.
        top_k: put a LabelSelect of that many labels at the end; 0 for none; None: 1 for a classifier's output.
        engine: what makes the cores: ``rtl``, or an HLS tool that is installed, ``bambu`` or ``vitis_hls``; or a
            mapping ``{layer or op type: engine}``, ``rtl`` for the others. Named alone, a tool leaves FIFOs and width
            converters to ``rtl``.
        minimize_widths: give weights, accumulators and thresholds the smallest datatypes that hold the values that
            these weights make possible. Saves hardware; a retrained network then builds new cores, where without it
            new memory images are enough.
        synthesis: further flows that cores are synthesised with, for the table of resources only: ``ecp5``, ``xc7``,
            ``xcup``.
        finn_reports: folder with FINN's ``report`` files of the same network, which the table shows beside ours:
            ``estimate_layer_cycles.json``, ``estimate_layer_resources.json`` and, if it is there,
            ``auto_folding_config.json``.
        transformations: from the imported model to unfolded hardware layers, in place of the automatic flow; see
            ``Transformations``. CreateDataflowPartition comes behind them where they do not name it.
        output: folder of everything that is built, relative to ``directory``.
        directory: folder of the build file, which all other paths are relative to; by default the current folder,
            which is the build file's when doit loads it.
        until: the last stage to plan, or its name as on the command line; by default the last one that there is for
            the board.
    """

    board: str
    clock_mhz: float | None = None
    fold: str | Path | Mapping[str, Mapping[str, Json]] = "auto"
    target_fps: float | None = None
    fifo_depths: str | Path | Mapping[str, Mapping[str, Json]] = "auto"
    samples: str | None = None
    labels: str | None = None
    input_datatype: str | None = None
    input_scale: str | float | None = None
    top_k: int | None = None
    engine: Engines = RTL
    minimize_widths: bool = False
    synthesis: Sequence[str] = ()
    finn_reports: str | None = None
    transformations: Sequence[TransformationEntry] | None = None
    until: Stage | str | None = None

    ARGUMENTS: ClassVar[Mapping[str, Argument]] = {
        **Target.ARGUMENTS,
        "board": TEXT,
        "clock_mhz": NUMBER,
        "fold": Argument(
            lambda value: is_path(value) or is_table_of_tables(value),
            'Say "auto", a folding file, or {layer: {"PE": .., "SIMD": ..}} with numbers of Python\'s own.',
        ),
        "target_fps": NUMBER,
        "fifo_depths": Argument(
            lambda value: is_path(value) or is_table_of_tables(value),
            f'Say {", ".join(WAYS)}, a file, or {{layer: {{"inFIFODepths": [..]}}}} with numbers of Python\'s own.',
        ),
        "samples": PATH,
        "labels": PATH,
        "input_datatype": TEXT,
        "input_scale": Argument(lambda value: is_number(value) or is_text(value), 'For example "1/255" or 0.125.'),
        "top_k": COUNT,
        "engine": Argument(
            lambda value: is_text(value) or is_table_of_texts(value), "Say an engine, or {layer or op type: engine}."
        ),
        "minimize_widths": FLAG,
        "synthesis": Argument(is_texts, 'Say flows, for example ["xc7"].'),
        "finn_reports": PATH,
        "until": Argument(
            lambda value: isinstance(value, Stage) or value in list(STAGE_NAMES), f"Say {', '.join(STAGE_NAMES)}."
        ),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.clock_mhz is not None and not 1 <= self.clock_mhz <= 1000:
            raise BuildFileError(f"a clock of {self.clock_mhz} MHz", where=self.name, remedy="Say 1 to 1000 MHz.")
        if self.target_fps is not None and not 1e-3 <= self.target_fps <= 1e12:
            raise BuildFileError(
                f"a target of {self.target_fps} frames per second", where=self.name, remedy="Say 0.001 to 1e12."
            )
        if self.target_fps is not None and self.fold != "auto":
            raise BuildFileError(
                f"target_fps={self.target_fps:g} beside a folding, which says how fast each layer is",
                where=self.name,
                remedy='Leave one of them out, or say fold="auto" (--fold auto).',
            )
        if self.top_k is not None and self.top_k < 0:
            raise BuildFileError(f"top_k={self.top_k}", where=self.name, remedy="Say how many labels, or 0 for none.")
        if self.labels is not None and self.samples is None:
            raise BuildFileError("labels without samples", where=self.name, remedy="Name the samples' file, too.")

    # -- what doit and the command line call -----------------------------------------------------------------------
    def manifest(self) -> Manifest | None:
        """The layers, once they are known."""
        return read_manifest(self.folder() / "manifest.json")

    def plan(self, workspace: Workspace | None = None) -> list[PlannedTask]:
        """All tasks known so far, up to the stage ``until``: those of the layers once there is a manifest.

        Raises:
            BuildFileError, BoardError: for files, boards or values that are not there, or a bitstream that is asked for
                where the board has no place and route.
            ToolError: for an HLS tool that ``engine`` names and that is not there.
        """
        resources = find_resources()
        board = load_board(self.board, resources.boards)
        last = self.last_stage(board)
        # A float, as the command line gives it: 50 and 50.0 are one clock and must be one key.
        clock_mhz = float(self.clock_mhz if self.clock_mhz is not None else board.default_clock_mhz)
        check_engines(self.engine, self._rules, self.name)
        context = self._context(workspace or self.workspace(), resources, board, clock_mhz)
        finn = self._finn_files()
        tasks = self._compile_tasks(board, clock_mhz, context)
        manifest = self.manifest()
        if manifest is not None:
            planned = {task.name for task in tasks}
            for layer in manifest.layers:
                # Where depths are measured, all layers but FIFOs are planned by now.
                if context.step(layer, "generate") not in planned:
                    tasks.extend(self._memo.plan(plan_layer, layer, context))
            tasks.append(plan_resource_table(manifest, context, board, clock_mhz, finn))
            measured = any(task.name == context.task("fifo_depths") for task in tasks)
            tasks.extend(plan_design(manifest, context, board, clock_mhz, cycle_model=measured))
        return [task for task in tasks if task.stage <= last]

    def last_stage(self, board: Board | None = None) -> Stage:
        """The last stage that is planned.

        Args:
            board: of the accelerator, where it has been read.

        Raises:
            BoardError: a bitstream is asked for that cannot be made for the board.
        """
        board = board or load_board(self.board, find_resources().boards)
        if self.until is None:
            return Stage.STITCHED if board.implementation is None else Stage.BITSTREAM
        until = STAGE_NAMES[self.until] if isinstance(self.until, str) else self.until
        if until >= Stage.BITSTREAM:
            board.require_implementation()
        return until

    def _compile_tasks(self, board: Board, clock_mhz: float, context: LayerContext) -> list[PlannedTask]:
        """From the model to the layers."""
        choice = self._fifo_choice()
        unbuffered = read_manifest(self.folder() / UNBUFFERED / "manifest.json")
        # InsertFIFO is the last.
        *before, _ = self._steps(board, clock_mhz)
        steps = [*before, choice.insert_step(unbuffered, context)]
        simulator = Stage.LAYERS if choice.measures(unbuffered) else Stage.RTLSIM
        unfolded = len(steps) - 1 - len(COMPLETE)
        tasks = plan_compile(self._source(), steps, context, unfolded=unfolded, simulator=simulator)
        return [*tasks, *choice.plan(*step_output(before, context), unbuffered, context, self._memo)]

    @cached_property
    def _memo(self) -> PlanMemo:
        return PlanMemo()

    # -- parts -----------------------------------------------------------------------------------------------------
    def _context(self, workspace: Workspace, resources: Resources, board: Board, clock_mhz: float) -> LayerContext:
        return LayerContext(
            target=self.name,
            folder=self._folder_in(workspace),
            root=workspace.root,
            resources=resources,
            rules=self._rules,
            synthesis_flows=(board.flow, *(flow for flow in self._other_flows() if flow != board.flow)),
            part=board.part,
            clock_mhz=clock_mhz,
            engines=self.engine,
        )

    def _other_flows(self) -> tuple[str, ...]:
        known = sorted(name.removesuffix("_synth") for name in self._rules if name.endswith("_synth"))
        flows = (self.synthesis,) if isinstance(self.synthesis, str) else tuple(self.synthesis)
        for flow in flows:
            if flow not in known:
                raise BuildFileError(
                    f"no flow {flow!r} synthesises", where=self.name, remedy=f"There are {', '.join(known)}."
                )
        return tuple(dict.fromkeys(flows))

    def _finn_files(self) -> dict[str, Path]:
        if self.finn_reports is None:
            return {}
        folder = Path(self.finn_reports)
        found = {name: self._existing(folder / name, "report of FINN") for name in FINN_REPORTS}
        optional = {name: self.directory / folder / name for name in FINN_FOLDINGS}
        return found | {name: path for name, path in optional.items() if path.is_file()}

    def _fifo_choice(self) -> FifoChoice:
        # Schedules are those of the Verilog cores; a core by another engine has a pace of its own.
        measurable = only_rtl(self.engine)
        if self.fifo_depths == "measured" and not measurable:
            raise BuildFileError(
                "fifo_depths='measured' with cores by another engine than rtl",
                where=self.name,
                remedy="Depths are measured with the Verilog cores: say 'estimated', or give the depths.",
            )
        otherwise = "auto" if measurable else "estimated"
        if isinstance(self.fifo_depths, Mapping):
            return FifoChoice(otherwise, {layer: dict(values) for layer, values in self.fifo_depths.items()})
        if self.fifo_depths in WAYS:
            return FifoChoice(otherwise if self.fifo_depths == "auto" else str(self.fifo_depths))
        return FifoChoice(otherwise, file=self._edited(self.fifo_depths, "file of FIFO depths", DEPTHS_FILE))

    def _edited(self, name: str | Path, what: str, written: str) -> Path:
        """A user's file, which must not be the one of its kind that the build writes itself."""
        path = self._existing(name, what)
        if path.resolve() == (self.folder() / written).resolve():
            raise BuildFileError(
                f"the {what} {name} is one that the build writes",
                where=self.name,
                remedy="Copy it to another place, edit the copy and name that.",
            )
        return path

    def _source(self) -> ModelSource:
        return ModelSource(
            model=self.model_path(),
            input_datatype=self.input_datatype,
            input_scale=self.input_scale,
            samples=None if self.samples is None else self._existing(self.samples, "samples file"),
            labels=None if self.labels is None else self._existing(self.labels, "labels file"),
        )

    def _steps(self, board: Board, clock_mhz: float) -> list[Step]:
        folding: Step
        if self.fold == "auto":
            arguments = {
                "target_fps": self.target_fps,
                "clock_mhz": clock_mhz,
                "resources": dict(board.resources),
                "flow": board.flow,
            }
            folding = Step("SetFolding", arguments, Stage.LAYERS)
        elif isinstance(self.fold, str | Path):
            path = self._edited(self.fold, "folding file", FOLDING_FILE)
            folding = Step("ApplyFolding", {"file": user_file(path)}, Stage.LAYERS, {user_file(path): path})
        else:
            folding = Step("ApplyFolding", {"folding": {k: dict(v) for k, v in self.fold.items()}}, Stage.LAYERS)
        if self.transformations is None:
            return compile_steps(self.top_k, folding, minimize_widths=self.minimize_widths)
        steps = transformation_steps(self.transformations, self.directory, Stage.LAYERS)
        return [*steps, *behind_own_steps(steps, folding, minimize_widths=self.minimize_widths)]
