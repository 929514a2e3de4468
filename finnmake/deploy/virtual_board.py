"""A virtual board: the simulated shell behind a pseudo-terminal, so that the real driver talks to it as to a board."""

from __future__ import annotations

import os
import pty
import subprocess
import tty
from pathlib import Path
from types import TracebackType

from finnmake.errors import ToolError

STOP_SECONDS = 5


class VirtualBoard:
    """A running virtual board. Also a context manager; leaving it stops the simulation.

    Attributes:
        port: path of the pseudo-terminal: what a driver opens as its serial port.

    Args:
        program: what the rule ``virtual_board_build`` made.
        working_directory: folder that the memory files lie in.

    Raises:
        ToolError: the program cannot be started.
    """

    def __init__(self, program: Path, working_directory: Path) -> None:
        self._master, slave = pty.openpty()
        try:
            # Raw: no byte is a line end, a control character or an echo.
            tty.setraw(slave)
            self.port = os.ttyname(slave)
            self._process = subprocess.Popen(
                [program.resolve()], cwd=working_directory, stdin=self._master, stdout=self._master
            )
        except OSError as error:
            os.close(self._master)
            os.close(slave)
            raise ToolError(f"the virtual board does not start: {error}", where=str(program)) from error
        # Kept open: the simulation must not take a driver that closes its port for the end.
        self._slave = slave

    def close(self) -> None:
        """Stops the simulation."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for descriptor in (self._master, self._slave):
            if descriptor >= 0:
                os.close(descriptor)
        self._master = self._slave = -1

    def __enter__(self) -> VirtualBoard:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
