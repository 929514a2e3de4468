"""Remote execution: an action's messages and inputs go to an engine that speaks REAPI v2, which has a worker run it.

The engine is a server like buildbox-casd, BuildGrid or Buildbarn; scheduling, queues and workers are its business.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from google.longrunning import operations_proto_pb2 as longrunning
from google.rpc import code_pb2

import finnmake.errors
from finnmake.build.configuration import ExecutionConfiguration
from finnmake.build.digest import Digest, digest_of_bytes
from finnmake.build.executor import ActionFailedError
from finnmake.build.files import remove_tree
from finnmake.build.key import ReapiAction
from finnmake.build.launcher import UNFIT
from finnmake.build.reapi import remote_execution_pb2 as reapi
from finnmake.build.remote.cache import RemoteError, TransientError, WrongBlobError
from finnmake.build.remote.grpc_cache import TRANSIENT, GrpcCache
from finnmake.build.result import ActionResult, decode
from finnmake.build.store import LocalStore
from finnmake.build.worker import InternalError
from finnmake.errors import FinnmakeError, StoreError, ToolError

_EXECUTION = "/build.bazel.remote.execution.v2.Execution"
_FIRST_PAUSE = 0.2
_CANCEL_SECONDS = 2.0
_LONGEST_ARGUMENT = 128 << 10
"""Bytes of one argument of a command that Linux takes."""
_LARGEST_TREE = 64 << 20
_SHOWN_LINES = 20


class _MissingBlobsError(RemoteError):
    """The engine has not, or no more, all the blobs that an action consists of."""


class _ForgottenError(RemoteError):
    """The engine does not know an operation any more, as after a restart."""


def _warn(message: str) -> None:
    print(f"finnmake: {message}", file=sys.stderr)


@dataclass(frozen=True)
class Executed:
    """What an engine says of an action that has succeeded.

    Attributes:
        result: the outputs.
        cached: nothing ran: the engine knew the result.
    """

    result: ActionResult
    cached: bool


class RemoteExecutor:
    """Runs actions on a remote engine, any number at a time, each from its own thread.

    Args:
        configuration: of the engine.
        store: local; outputs go there.
        warn: told once when the engine cannot be used; from then on ``run`` returns None.

    Raises:
        RemoteError: credentials or certificates cannot be read.
    """

    def __init__(
        self, configuration: ExecutionConfiguration, store: LocalStore, warn: Callable[[str], None] = _warn
    ) -> None:
        self._configuration = configuration
        self._remote = configuration.remote
        self._cas = GrpcCache(self._remote)
        self._store = store
        self._warn = warn
        self._lock = threading.Lock()
        self._broken = False
        self._stopped = False
        self._unfit: set[str] = set()
        self._known: set[Digest] = set()
        self._running: dict[grpc.Call, str] = {}

    def takes(self, action: ReapiAction) -> bool:
        """Whether an action can be run there, as far as one can say before."""
        arguments = reapi.Command.FromString(action.command).arguments
        return not self._broken and all(len(text.encode()) < _LONGEST_ARGUMENT for text in arguments)

    def run(
        self,
        action: ReapiAction,
        sources: Mapping[Digest, Path],
        log: Path,
        *,
        always: bool,
        download: bool = True,
        lost: Callable[[set[Digest]], None] = lambda blobs: None,
    ) -> Executed | None:
        """Run an action.

        Args:
            action: its messages.
            sources: files with the bytes of its inputs.
            log: file for the command's output.
            always: run it even if the engine knows its result.
            download: bring its outputs into the local store.
            lost: told of inputs that neither the engine nor this machine has; may raise.

        Returns:
            Its result; None where the engine cannot run it.

        Raises:
            FinnmakeError: the action failed, or the build is being stopped.
        """
        if not self.takes(action):
            return None
        try:
            sent = with_platform(action, self._configuration)
            for attempt in (1, 2):
                response = self._execute_with_blobs(sent, sources, lost, always=always or attempt == 2)
                result = response.result
                self._write_log(result, log)
                if result.exit_code == UNFIT:
                    self._say_unfit(_reason(self._output(result.stderr_raw, result.stderr_digest)))
                    return None
                if result.exit_code != 0:
                    raise self._failure(result, log)
                found = self._take(result, download=download)
                if found is not None:
                    return Executed(found, response.cached_result)
            raise RemoteError("lost an output that it had just made", where=self._remote.url)
        except RemoteError as error:
            self._give_up(error)
        return None

    def download(self, digests: set[Digest]) -> bool:
        """Brings blobs into the local store, each hashed on the way; False where the engine lacks one.

        Raises:
            RemoteError: the engine cannot be used.
        """
        lacking = {digest for digest in digests if not self._store.contains(digest)}
        if not lacking:
            return True
        folder = self._store.temporary_folder()
        try:
            targets = {digest: folder / digest.sha256 for digest in lacking}
            found = self._cas.download(targets)
            for digest in found:
                if self._store.put_file(targets[digest], sync=False) != digest:
                    raise WrongBlobError(f"the engine gave wrong bytes for blob {digest.sha256}")
            with self._lock:
                self._known |= found
            return found >= lacking
        finally:
            remove_tree(folder)

    # -- giving the action -------------------------------------------------------------------------------------------
    def _execute_with_blobs(
        self,
        action: ReapiAction,
        sources: Mapping[Digest, Path],
        lost: Callable[[set[Digest]], None],
        *,
        always: bool,
    ) -> reapi.ExecuteResponse:
        self._upload(action, sources, lost)
        try:
            response = self._execute(action.digest, always=always)
            if response.cached_result and response.result.exit_code != 0:
                # Some engines keep failures; what made it fail may have been the worker's.
                response = self._execute(action.digest, always=True)
            return response
        except _MissingBlobsError:
            # Collected since this build has seen them.
            with self._lock:
                self._known.clear()
            self._upload(action, sources, lost)
            return self._execute(action.digest, always=always)

    def _upload(self, action: ReapiAction, sources: Mapping[Digest, Path], lost: Callable[[set[Digest]], None]) -> None:
        parts = (action.action, action.command, *action.directories.values())
        messages = {digest_of_bytes(data): data for data in parts}
        with self._lock:
            unknown = {*messages, *sources} - self._known
        missing = self._cas.missing(unknown)
        absent = {digest for digest in missing if digest not in messages and not sources[digest].exists()}
        if absent:
            lost(absent)
            raise RemoteError("an input is neither there nor here", where=self._remote.url)
        folder = self._store.temporary_folder()
        try:
            files = {digest: sources[digest] for digest in missing if digest not in messages}
            for digest in missing & messages.keys():
                files[digest] = folder / digest.sha256
                files[digest].write_bytes(messages[digest])
            self._cas.upload(files)
        finally:
            remove_tree(folder)
        with self._lock:
            self._known |= unknown

    def _execute(self, action: Digest, *, always: bool) -> reapi.ExecuteResponse:
        """Start an action and wait for its end, over broken connections too.

        Raises:
            RemoteError: the engine cannot be used.
            ToolError: the build is being stopped.
        """
        name = ""
        for attempt in range(self._remote.retries + 1):
            try:
                for operation in self._operations(action, name, always=always):
                    name = operation.name or name
                    if operation.done:
                        return self._response(operation)
                raise TransientError("ended without a result", where=self._remote.url)
            except TransientError:
                if attempt == self._remote.retries:
                    raise
                time.sleep(_FIRST_PAUSE * 2**attempt)
            except _ForgottenError:
                name = ""
        raise RemoteError("forgot an action that it was running", where=self._remote.url)

    def _operations(self, action: Digest, name: str, *, always: bool) -> Iterator[longrunning.Operation]:
        instance = self._remote.instance
        request: Any = reapi.WaitExecutionRequest(name=name)
        if not name:
            digest = reapi.Digest(hash=action.sha256, size_bytes=action.size)
            request = reapi.ExecuteRequest(instance_name=instance, action_digest=digest, skip_cache_lookup=always)
        call = self._cas.channel.unary_stream(
            f"{_EXECUTION}/{'WaitExecution' if name else 'Execute'}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=longrunning.Operation.FromString,
        )(request, metadata=self._cas.metadata)
        with self._watched(call):
            try:
                for operation in call:
                    with self._lock:
                        self._running[call] = operation.name
                    yield operation
            except grpc.RpcError as error:
                if self._stopped:
                    raise ToolError("the build is being stopped") from None
                raise self._error(error.code(), error.details() or "", waiting=bool(name)) from None

    @contextmanager
    def _watched(self, call: grpc.Call) -> Iterator[None]:
        with self._lock:
            stopped = self._stopped
            self._running[call] = ""
        if stopped:
            call.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._running.pop(call, None)

    def _response(self, operation: longrunning.Operation) -> reapi.ExecuteResponse:
        response = reapi.ExecuteResponse()
        if operation.HasField("error"):
            status = operation.error
        elif not operation.response.Unpack(response):
            raise RemoteError("gives a response that is none of the protocol", where=self._remote.url)
        else:
            status = response.status
        if status.code != code_pb2.OK:
            codes = {code.value[0]: code for code in grpc.StatusCode}
            raise self._error(codes.get(status.code, grpc.StatusCode.UNKNOWN), status.message, waiting=False)
        return response

    def _error(self, code: grpc.StatusCode, details: str, *, waiting: bool) -> RemoteError:
        text = details.splitlines()[0] if details else ""
        what = f"remote execution answers {code.name}" + (f": {text}" if text else "")
        if waiting and code == grpc.StatusCode.NOT_FOUND:
            return _ForgottenError(what, where=self._remote.url)
        if code in TRANSIENT:
            return TransientError(what, where=self._remote.url)
        if code == grpc.StatusCode.FAILED_PRECONDITION and "propert" not in text.lower():
            return _MissingBlobsError(what, where=self._remote.url)
        remedy = ""
        if code in (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT):
            remedy = (
                "where properties are refused: name those that the engine knows in [remote_execution] send_properties"
            )
        elif code == grpc.StatusCode.UNIMPLEMENTED:
            remedy = "check that the address is that of an engine that executes, and [remote_execution] instance"
        return RemoteError(what, where=self._remote.url, remedy=remedy)

    # -- taking the result -------------------------------------------------------------------------------------------
    def _take(self, message: reapi.ActionResult, *, download: bool) -> ActionResult | None:
        """The result, with its blobs in the store if they are downloaded; None where one is missing."""
        try:
            result = decode(message.SerializeToString(deterministic=True), self._tree)
        except StoreError as error:
            if error.where == str(self._store.folder):
                raise
            raise RemoteError(f"gives a result that makes no sense: {error.what}", where=self._remote.url) from None
        # As in a local run: byte code is no output.
        files = tuple((path, file) for path, file in result.files if "/__pycache__/" not in f"/{path}")
        digests = {file.digest for _, file in files}
        if not download:
            # Engines keep results of which they have lost the blobs; these ones need no upload when they are inputs.
            if self._cas.missing(digests):
                return None
            with self._lock:
                self._known |= digests
        elif not self.download(digests):
            return None
        return ActionResult(files, result.directories)

    def _tree(self, digest: Digest) -> bytes:
        if digest.size > _LARGEST_TREE:
            raise StoreError("a directory of it is too large")
        data = self._store.get_bytes(digest) if self.download({digest}) else None
        if data is None:
            raise StoreError("a directory of it is missing")
        return data

    def _output(self, raw: bytes, digest: reapi.Digest) -> bytes:
        if raw or not digest.size_bytes:
            return raw
        try:
            name = Digest(digest.hash, digest.size_bytes)
            return self._store.get_bytes(name) or b"" if self.download({name}) else b""
        except WrongBlobError as error:
            return f"{error.what}\n".encode()

    def _write_log(self, result: reapi.ActionResult, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(self._output(result.stdout_raw, result.stdout_digest))

    def _failure(self, result: reapi.ActionResult, log: Path) -> FinnmakeError:
        errors = self._output(result.stderr_raw, result.stderr_digest)
        try:
            said = json.loads(errors)
            texts = {name: str(said[name]).replace(said["log"], str(log)) for name in ("what", "where", "remedy")}
        except (ValueError, KeyError, TypeError):
            with log.open("ab") as file:
                file.write(errors)
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN_LINES:]
            text = "".join(f"{line}\n" for line in lines)
            what = f"{text}the launcher failed with exit status {result.exit_code} on the remote worker"
            return ActionFailedError(what, remedy=f"full log: {log}")
        known = {"ActionFailedError": ActionFailedError, "InternalError": InternalError}
        kind = known.get(said.get("kind"), getattr(finnmake.errors, str(said.get("kind")), FinnmakeError))
        if not (isinstance(kind, type) and issubclass(kind, FinnmakeError)):
            kind = FinnmakeError
        return kind(texts["what"], where=texts["where"], remedy=texts["remedy"])

    def _say_unfit(self, reason: str) -> None:
        with self._lock:
            first = reason not in self._unfit
            self._unfit.add(reason)
        if first:
            self._warn(f"{reason}\n  such actions run here")

    def _give_up(self, error: RemoteError) -> None:
        with self._lock:
            first, self._broken = not self._broken, True
        if first:
            self._warn(f"the build goes on without remote execution: {error.text}")

    # -- the end -----------------------------------------------------------------------------------------------------
    def stop(self) -> None:
        """Cancel what is running there and start no more."""
        with self._lock:
            self._stopped = True
            running = dict(self._running)
        cancel = self._cas.channel.unary_unary(
            "/google.longrunning.Operations/CancelOperation",
            request_serializer=longrunning.CancelOperationRequest.SerializeToString,
            response_deserializer=lambda data: data,
        )
        asked = []
        for name in running.values():
            if name:
                request = longrunning.CancelOperationRequest(name=name)
                asked.append(cancel.future(request, timeout=_CANCEL_SECONDS, metadata=self._cas.metadata))
        for answer in asked:
            # An engine without this service ends the action when nobody waits for it, or runs it to its end.
            with suppress(grpc.RpcError):
                answer.result()
        for call in running:
            call.cancel()

    def close(self) -> None:
        """Closes the connection."""
        self._cas.close()


def _reason(errors: bytes) -> str:
    try:
        return str(json.loads(errors)["what"])
    except (ValueError, KeyError, TypeError):
        return "a worker is not what actions need"


def with_platform(action: ReapiAction, configuration: ExecutionConfiguration) -> ReapiAction:
    """The action with the platform properties that the engine is to be told.

    The key stays that of the action as it was: without configured properties it is the very same action.
    """
    if configuration.send_properties is None and not configuration.properties:
        return action
    command = reapi.Command.FromString(action.command)
    message = reapi.Action.FromString(action.action)
    sent = configuration.send_properties
    found = {(p.name, p.value) for p in message.platform.properties if sent is None or p.name in sent}
    found.update(configuration.properties.items())
    for platform in (command.platform, message.platform):
        del platform.properties[:]
        for name, value in sorted(found):
            platform.properties.add(name=name, value=value)
    data = command.SerializeToString(deterministic=True)
    digest = digest_of_bytes(data)
    message.command_digest.CopyFrom(reapi.Digest(hash=digest.sha256, size_bytes=digest.size))
    serialised = message.SerializeToString(deterministic=True)
    return ReapiAction(digest_of_bytes(serialised).sha256, serialised, data, action.directories)
