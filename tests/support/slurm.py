"""A real Slurm on loopback: one controller, one node, started for a test and ended with it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel")
_PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass
class Cluster:
    """A running Slurm.

    Attributes:
        configuration: its slurm.conf, for ``SLURM_CONF``.
    """

    configuration: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one of its programs in the foreground."""
        path = shutil.which(program, path=_PATH)
        assert path is not None
        with (self.configuration.parent / f"{program}.out").open("ab") as log:
            process = subprocess.Popen([path, *arguments], stdout=log, stderr=log, start_new_session=True)
        self.processes.append(process)
        return process

    def ask(self, *command: str) -> str:
        """The output of one of Slurm's commands."""
        environment = {**os.environ, "SLURM_CONF": str(self.configuration)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
        return done.stdout + done.stderr

    def jobs(self, state: str) -> list[str]:
        """Names of the jobs in a state, such as ``RUNNING``."""
        return self.ask("squeue", "--noheader", f"--states={state}", "--format=%j").split()

    def end(self) -> None:
        """End it at once."""
        with suppress(OSError, subprocess.TimeoutExpired):
            self.ask("scancel", "--quiet", "--state=RUNNING")
        for process in reversed(self.processes):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait(10)


@contextmanager
def slurm_cluster(folder: Path, *, cpus: int = 2, licences: str = "vivado:1") -> Iterator[Cluster]:
    """Runs Slurm with ``folder`` for its data; skips where it is not installed or the user is not root."""
    missing = [program for program in PROGRAMS if shutil.which(program, path=_PATH) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed (apt install slurmctld slurmd slurm-client munge)")
    if os.geteuid() != 0:
        pytest.skip("slurmd runs as root only")
    folder.mkdir(parents=True)
    # The directory of a socket must be nobody else's to write, and its name short.
    cluster = Cluster(folder / "slurm.conf")
    socket_path = folder / "munge.socket"
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    host = socket.gethostname().partition(".")[0]
    ports = _free_ports(2)
    cluster.configuration.write_text(f"""
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={socket_path}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MpiDefault=none
ReturnToService=2
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
KillWait=2
Licenses={licences}
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
""")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    configuration = str(cluster.configuration)
    try:
        cluster.start(
            "munged", "-F", "--force", f"--key-file={key}", f"--socket={socket_path}", f"--pid-file={folder}/munge.pid",
            f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed",
        )  # fmt: skip
        _wait(socket_path.exists, folder)
        cluster.start("slurmctld", "-D", "-c", "-f", configuration)
        cluster.start("slurmd", "-D", "-f", configuration)
        _wait(lambda: cluster.ask("sinfo", "--noheader", "--format=%t").strip() == "idle", folder)
        yield cluster
    finally:
        cluster.end()


def _free_ports(count: int) -> list[int]:
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports


def _wait(ready: object, folder: Path) -> None:
    assert callable(ready)
    for _ in range(300):
        if ready():
            return
        time.sleep(0.1)
    logs = "\n".join(path.read_text(errors="replace")[-2000:] for path in sorted(folder.glob("*.log")))
    raise AssertionError(f"Slurm does not start:\n{logs}")
