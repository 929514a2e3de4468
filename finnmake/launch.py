"""Entry point of the command: a build that has nothing to do is answered before anything else is imported."""

from __future__ import annotations

import os
import sys
import time


def main() -> int:
    """Runs the command line.

    Returns:
        The exit status.
    """
    try:
        return _answered_or_run(time.time_ns())
    except KeyboardInterrupt:
        # As the command line says it, which may not have been imported yet.
        print("finnmake: interrupted", file=sys.stderr)
        return 130


def _answered_or_run(started: int) -> int:
    arguments = sys.argv[1:]
    folder, rest = (arguments[1], arguments[2:]) if arguments[:1] == ["-C"] and len(arguments) > 1 else (".", arguments)
    if rest[:1] == ["build"]:
        from finnmake.build.stamp import SECONDS, answer

        said = answer(folder, ["finnmake", *arguments])
        if said is not None:
            seconds = (time.time_ns() - started) / 1e9
            try:
                sys.stdout.write(said.replace(SECONDS, f"{seconds:.2f}"))
                sys.stdout.flush()
            except BrokenPipeError:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                return 1
            return 0
    from finnmake.cli import main as command_line

    status = command_line(arguments, started)
    sys.stderr.flush()
    # What a large build leaves in memory needs not be taken apart object by object; everything is written and closed.
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
