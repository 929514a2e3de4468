"""Slurm's command line: how a job is asked for, and what ``squeue`` says of jobs."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from finnmake.build.configuration import SlurmConfiguration
from finnmake.errors import ToolError

_COMMAND_SECONDS = 60
_PASSED = ("HOME", "PATH", "USER", "LD_LIBRARY_PATH", "XDG_CACHE_HOME")
_PASSED_PREFIXES = ("SLURM_", "SBATCH_", "SQUEUE_", "SCANCEL_")

_LOST = frozenset({"BOOT_FAIL", "NODE_FAIL", "PREEMPTED", "REVOKED"})
_ENDED = frozenset({"COMPLETED", "FAILED"})
_REFUSED = {
    "CANCELLED": "somebody cancelled it, or Slurm's administrator did",
    "DEADLINE": "raise its deadline: [slurm] options in finnmake.toml",
    "OUT_OF_MEMORY": 'ask for more memory in finnmake.toml, for example [slurm.rules] RULE = ["--mem=16G"]',
    "TIMEOUT": 'ask for more time in finnmake.toml, for example [slurm.rules] RULE = ["--time=8:00:00"]',
}
_HOPELESS = frozenset(
    {"BadConstraints", "JobHeldAdmin", "JobHeldUser", "PartitionNodeLimit", "PartitionTimeLimit", "InvalidAccount"}
)
"""Why a job that waits will not start by itself."""


class UnreachableError(ToolError):
    """Slurm's controller does not answer."""


@dataclass(frozen=True)
class JobState:
    """A line of ``squeue``.

    Attributes:
        state: its name in full, such as ``RUNNING``.
        reason: why the job waits or has ended, as Slurm says it; ``None`` for no reason.
    """

    state: str
    reason: str


class Verdict(Enum):
    """What a job's state means for who waits for it."""

    GOES_ON = "goes on"
    ENDED = "ended"
    """It has left a result, or never will."""
    LOST = "lost"
    """Its machine is gone; another may do."""
    FAILED = "failed"
    """It will leave no result."""


def verdict(state: JobState | None) -> Verdict:
    """What a state means; None is that of a job that Slurm does not know (any more)."""
    if state is None or state.state in _ENDED:
        return Verdict.ENDED
    if state.state in _LOST:
        return Verdict.LOST
    if state.state in _REFUSED or (state.state == "PENDING" and state.reason in _HOPELESS):
        return Verdict.FAILED
    return Verdict.GOES_ON


def remedy(state: JobState | None) -> str:
    """What to do about a job that failed in this state."""
    if state is None:
        return "slurmctld's log says what became of it"
    return _REFUSED.get(state.state, f"Slurm's reason is {state.reason}: check [slurm] in finnmake.toml")


def parse_states(text: str) -> dict[int, JobState]:
    """The jobs of ``squeue --format=%A|%T|%r``; lines that are none are left out."""
    found: dict[int, JobState] = {}
    for line in text.splitlines():
        fields = line.strip().split("|", 2)
        if len(fields) == 3 and fields[0].isdigit():
            found[int(fields[0])] = JobState(fields[1], fields[2])
    return found


def job_script(python: Path, job: Path) -> str:
    """The script of a job that runs the action of a job file. Its process is the one that Slurm sends signals to."""
    return f"#!/bin/sh\nexec {shlex.join([str(python), '-m', 'finnmake.build.slurm.job', str(job)])}\n"


def submission(
    configuration: SlurmConfiguration,
    name: str,
    folder: Path,
    rule: str,
    licence: str,
) -> list[str]:
    """Arguments of ``sbatch``, which reads the script from its standard input.

    Args:
        configuration: whose options come first: what a build relies on wins over them.
        name: of the job.
        folder: working directory, and where what the job itself prints goes.
        rule: the action's mnemonic, which may have options of its own.
        licence: the action's, "" for none.
    """
    options = [*configuration.options, *configuration.rules.get(rule, ())]
    if configuration.partition:
        options.append(f"--partition={configuration.partition}")
    if configuration.account:
        options.append(f"--account={configuration.account}")
    if licence:
        options.append(f"--licenses={configuration.licences.get(licence, f'{licence}:1')}")
    return [
        *options,
        "--parsable",
        # A job that Slurm starts again would find what its first life has left of inputs and outputs.
        "--no-requeue",
        f"--job-name={name}",
        f"--comment={rule}",
        f"--chdir={folder}",
        f"--output={folder / 'slurm.out'}",
        # Of the environment that ``Slurm`` gives sbatch. A list would make Slurm start the user's login shell.
        "--export=ALL",
    ]


def passed_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What Slurm's commands, and by them jobs, get of a build's environment: by it a job finds tools and their caches.

    Not the rest: it may have credentials, and Slurm keeps it in files. Tools see none of it.
    """
    return {n: v for n, v in environment.items() if n in _PASSED or n.startswith(_PASSED_PREFIXES)}


class Slurm:
    """Runs Slurm's commands.

    Args:
        environment: of the build.

    Raises:
        ToolError: they are not on PATH.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = passed_environment(environment)
        self._programs = {name: _found(name) for name in ("sbatch", "squeue", "scancel")}

    def submit(self, arguments: Sequence[str], script: str) -> int:
        """Submit a job; its number.

        Raises:
            ToolError: Slurm refuses it.
        """
        done = self._run("sbatch", *arguments, text=script)
        # NUMBER or NUMBER;CLUSTER
        number = done.stdout.strip().partition(";")[0]
        if done.returncode != 0 or not number.isdigit():
            raise ToolError(
                f"sbatch refuses the job: {_said(done)}", remedy="check [slurm] in finnmake.toml, and `sinfo`"
            )
        return int(number)

    def states(self, name: str) -> dict[int, JobState]:
        """The states of all jobs of this name, also of those that have ended not long ago.

        Raises:
            UnreachableError: Slurm does not answer.
        """
        done = self._run("squeue", "--noheader", "--states=all", f"--name={name}", "--format=%A|%T|%r")
        if done.returncode != 0:
            raise UnreachableError(f"squeue fails: {_said(done)}")
        return parse_states(done.stdout)

    def cancel(self, *arguments: str) -> None:
        """Cancel jobs: their numbers, or ``--name=``. Jobs that have ended are no error.

        Raises:
            UnreachableError: Slurm does not answer.
        """
        done = self._run("scancel", "--quiet", *arguments)
        if done.returncode != 0:
            raise UnreachableError(f"scancel fails: {_said(done)}")

    def _run(self, program: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                [self._programs[program], *arguments],
                input=text,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_COMMAND_SECONDS,
                check=False,
                env=self._environment,
                # Ctrl-C is the build's to handle.
                start_new_session=True,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise UnreachableError(f"{program} cannot be run: {error}") from error


def _found(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise ToolError(
            f"{name} is not installed, needed for --executor slurm",
            remedy="build on a machine that submits to Slurm (Debian: apt install slurm-client)",
        )
    return path


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit status {done.returncode}"
