"""The stages of a build, in order: what ``finnmake build --until`` names."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """A stage includes all stages before it."""

    IMPORT = 1
    STREAMLINED = 2
    LAYERS = 3
    CORES = 4
    CPPSIM = 5
    RTLSIM = 6
    SYNTH = 7
    STITCHED = 8
    BITSTREAM = 9

    @property
    def label(self) -> str:
        """The name on the command line."""
        return self.name.lower()


STAGE_NAMES: dict[str, Stage] = {stage.label: stage for stage in Stage}
