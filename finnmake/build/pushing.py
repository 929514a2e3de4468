"""Giving results of the local store to the remote cache by hand: what builds could not upload, or all of them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from finnmake.build.configuration import RemoteConfiguration
from finnmake.build.digest import Digest
from finnmake.build.inspection import Inspection
from finnmake.build.key import reapi_action
from finnmake.build.rebuilder import UPLOAD
from finnmake.build.remote.cache import open_remote
from finnmake.build.remote.sharing import Sharing
from finnmake.build.state import State
from finnmake.build.store import LocalStore
from finnmake.build.workspace import Workspace
from finnmake.errors import BuildFileError, FinnmakeError


@dataclass(frozen=True)
class Push:
    """What a push did.

    Attributes:
        uploaded: results that the remote did not have.
        present: results that it had.
        absent: results that the local store does not have (any more).
        unknown: tasks whose key is not known: their inputs have not been built.
    """

    uploaded: int
    present: int
    absent: int
    unknown: int = 0


def remote_of(workspace: Workspace) -> RemoteConfiguration:
    """The remote cache of a workspace.

    Raises:
        BuildFileError: it has none.
    """
    remote = workspace.configuration.remote
    if remote is None:
        raise BuildFileError(
            "there is no remote cache",
            where=str(workspace.root / "finnmake.toml"),
            remedy='Name one in it: [remote] url = "http://…" or "grpc://…"',
        )
    return remote


def push_pending(workspace: Workspace) -> Push:
    """Uploads what builds could not upload; what is done is taken off their list.

    Raises:
        FinnmakeError: there is no remote cache, it may only be read, or it does not take a result.
    """
    remote = _written(workspace)
    path = workspace.state_folder / "state.sqlite"
    if not path.is_file():
        return Push(0, 0, 0)
    state = State(path)
    try:
        pending = [Digest(sha256, int(size)) for sha256, size in state.memos(UPLOAD).items()]
        return _push(workspace, remote, pending, state)
    finally:
        state.shut()


def push_all(inspection: Inspection) -> Push:
    """Uploads the results of all tasks of a build file, as their keys are now.

    Raises:
        FinnmakeError: as ``push_pending``.
    """
    session = inspection.session
    done = Push(0, 0, 0)
    for rebuilder in session.rebuilders:
        remote = _written(rebuilder.workspace)
        actions, unknown = [], 0
        for name in inspection.engine_tasks(()):
            if session.rebuilder(name) is rebuilder:
                try:
                    actions.append(reapi_action(rebuilder.resolved(session.tasks[name].action)).digest)
                except FinnmakeError:
                    unknown += 1
        pushed = _push(rebuilder.workspace, remote, dict.fromkeys(actions), rebuilder.state)
        done = Push(
            done.uploaded + pushed.uploaded,
            done.present + pushed.present,
            done.absent + pushed.absent,
            done.unknown + unknown,
        )
    return done


def _written(workspace: Workspace) -> RemoteConfiguration:
    remote = remote_of(workspace)
    if not remote.writes:
        raise BuildFileError(
            "the remote cache may only be read",
            where=str(workspace.root / "finnmake.toml"),
            remedy='Who may write says [remote] role = "read-write".',
        )
    return remote


def _push(workspace: Workspace, configuration: RemoteConfiguration, actions: Iterable[Digest], state: State) -> Push:
    uploaded = present = absent = 0
    store = LocalStore(workspace.store)
    remote = open_remote(configuration)
    with closing(store), closing(remote):
        sharing = Sharing(store, remote, writes=True)
        pending = state.memos(UPLOAD)
        for action in actions:
            if remote.get_result(action) is not None:
                present += 1
            elif sharing.push(action):
                uploaded += 1
            else:
                absent += 1
            if action.sha256 in pending:
                state.remove_memo(UPLOAD, action.sha256)
    return Push(uploaded, present, absent)
