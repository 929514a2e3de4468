"""A worker of a BuildGrid: asks it for actions (Remote Workers API) and has ``buildbox-run`` run each in its sandbox.

Run by the Python of .venv-buildgrid: ``buildgrid_bot.py HOST:PORT NAME BUILDBOX_RUN PROPERTY=VALUE... -- ARGUMENT...``,
arguments of ``buildbox-run``. Writes ``start ACTION`` and ``done ACTION`` on its standard output. BuildGrid is a
server: what asks it for work is another project's program, ``buildbox-worker``, which no package has.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc
from buildgrid._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as reapi
from buildgrid._protos.build.bazel.remote.execution.v2 import remote_execution_pb2_grpc as reapi_services
from buildgrid._protos.google.devtools.remoteworkers.v1test2 import bots_pb2 as bots
from buildgrid._protos.google.devtools.remoteworkers.v1test2 import bots_pb2_grpc as bots_services
from buildgrid._protos.google.devtools.remoteworkers.v1test2 import worker_pb2 as workers

POLL_SECONDS = 7.0
"""Of one request; the server answers some seconds earlier when there is no work."""


class Bot:
    """One session with the server, one action at a time."""

    def __init__(self, address: str, name: str, runner: str, properties: list[str], arguments: list[str]) -> None:
        channel = grpc.insecure_channel(address)
        self.address = address
        self.command = [runner, f"--remote=http://{address}", "--disable-localcas", *arguments]
        self.service = bots_services.BotsStub(channel)
        self.blobs = reapi_services.ContentAddressableStorageStub(channel)
        device = workers.Device(handle="host")
        for text in properties:
            key, _, value = text.partition("=")
            device.properties.add(key=key, value=value)
        worker = workers.Worker(devices=[device])
        session = bots.BotSession(bot_id=name, status=bots.BotStatus.OK, worker=worker)
        self.session = self.service.CreateBotSession(bots.CreateBotSessionRequest(parent="", bot_session=session))
        self.process: subprocess.Popen[bytes] | None = None
        self.action = ""

    def serve(self) -> None:
        """Run what the server gives, until killed."""
        with tempfile.TemporaryDirectory() as folder:
            while True:
                for lease in self.session.leases:
                    self.look_after(lease, Path(folder))
                request = bots.UpdateBotSessionRequest(name=self.session.name, bot_session=self.session)
                self.session = self.service.UpdateBotSession(request, timeout=POLL_SECONDS)

    def look_after(self, lease: Any, folder: Path) -> None:
        """Start a lease's action, or see whether it has ended."""
        result = folder / "result"
        if lease.state in (bots.LeaseState.PENDING, bots.LeaseState.ACTIVE) and self.process is None:
            action = self.fetched(lease.payload)
            (folder / "action").write_bytes(action)
            result.unlink(missing_ok=True)
            self.action = lease.id
            print("start", self.action, flush=True)
            command = [*self.command, f"--action={folder / 'action'}", f"--action-result={result}"]
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=sys.stderr)
            lease.state = bots.LeaseState.ACTIVE
        if lease.state == bots.LeaseState.ACTIVE and self.process is not None:
            for _ in range(20):
                if self.process.poll() is not None:
                    break
                time.sleep(0.05)
            else:
                return
            self.process = None
            lease.result.Pack(reapi.ActionResult.FromString(result.read_bytes()))
            lease.state = bots.LeaseState.COMPLETED
            print("done", self.action, flush=True)

    def fetched(self, payload: Any) -> bytes:
        """The serialised action that a lease is for."""
        digest, action = reapi.Digest(), reapi.Action()
        if payload.Unpack(action):
            return bytes(action.SerializeToString())
        assert payload.Unpack(digest), payload.type_url
        answer = self.blobs.BatchReadBlobs(reapi.BatchReadBlobsRequest(digests=[digest]))
        return bytes(answer.responses[0].data)


if __name__ == "__main__":
    split = sys.argv.index("--")
    Bot(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:split], sys.argv[split + 1 :]).serve()
