"""From an action to its key: the SHA-256 of the REAPI ``Action`` that says the same.

The command of that action is one that any worker with finnmake installed can run: its launcher (``launcher.py``) finds
the tools, whose places differ from machine to machine, and checks their versions.

Never in a key: absolute paths, task names, times, user, host, number of CPUs, undeclared environment.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from finnmake.build.action import Action, PythonCommand, ToolCommand
from finnmake.build.digest import Digest, FileDigest, digest_of_bytes
from finnmake.build.merkle import merkle_tree
from finnmake.build.sources import Sources

SALT = "finnmake-key-v2"
_canonical_json = json.JSONEncoder(sort_keys=True).encode

SOURCE_FOLDER = ".python"
"""Where the input tree of a Python action has the sources that it runs."""

LAUNCHER = "finnmake-worker"
"""The program that a worker runs: installed with finnmake, and found on ``WORKER_PATH``."""
WORKER_PATH = "/usr/local/bin:/usr/bin:/bin"
LICENCE = "licence"
"""Platform property of an action that holds a licence while it runs."""


@dataclass(frozen=True)
class Resolved:
    """An action with everything that its key is made of looked up.

    Attributes:
        inputs: scratch path -> file; directories are expanded.
        tools: tool -> version.
        sources: of a Python command.
    """

    action: Action
    inputs: Mapping[str, FileDigest]
    tools: Mapping[str, str]
    sources: Sources | None

    def fingerprint_text(self) -> str:
        """A text that is equal for two resolved actions exactly when their ingredients are."""
        command = self.action.command
        if isinstance(command, PythonCommand):
            said: object = ["python", command.function, dict(command.arguments)]
        else:
            said = ["tool", command.argv, sorted(command.environment.items()), command.error_patterns]
        return _canonical_json(
            [
                SALT,
                said,
                sorted((path, *file) for path, file in self.inputs.items()),
                sorted(self.action.outputs),
                sorted(self.tools.items()),
                self.sources.digest if self.sources else "",
                self.action.licence,
            ]
        )

    def ingredients(self) -> dict[str, str]:
        """All that the key depends on, one entry for each thing that ``why`` can name."""
        command = self.action.command
        result: dict[str, str] = {"key format": SALT}
        if isinstance(command, PythonCommand):
            result["function"] = command.function
            for name, value in sorted(command.arguments.items()):
                result[f"argument {name}"] = json.dumps(value, sort_keys=True)
        else:
            for index, argument in enumerate(command.argv):
                result[f"argument {index}"] = argument
            for name, text in sorted(command.environment.items()):
                result[f"environment {name}"] = text
            for index, pattern in enumerate(command.error_patterns):
                result[f"error pattern {index}"] = pattern
        for path, file in sorted(self.inputs.items()):
            result[f"input {path}"] = file.sha256 + (" executable" if file.executable else "")
        for path in sorted(self.action.outputs):
            result[f"output {path}"] = "declared"
        for name, version in sorted(self.tools.items()):
            result[f"tool {name}"] = version
        if self.action.licence:
            result["licence"] = self.action.licence
        if self.sources is not None:
            for name, version in sorted(self.sources.versions.items()):
                result[f"package {name}"] = version
            for path, file in sorted(self.sources.files.items()):
                result[f"source {path}"] = file.sha256
        return result


@dataclass(frozen=True)
class ReapiAction:
    """The messages of an action, serialised.

    Attributes:
        key: SHA-256 of ``action``, 64 hex digits: its name in every store and cache.
        action: REAPI ``Action``.
        command: REAPI ``Command``.
        directories: REAPI ``Directory`` messages of the input tree by SHA-256.
    """

    key: str
    action: bytes
    command: bytes
    directories: Mapping[str, bytes]

    @property
    def digest(self) -> Digest:
        """Of ``action``, as the protocol names it."""
        return Digest(self.key, len(self.action))


def host_properties() -> dict[str, str]:
    """Platform properties of this machine that every engine knows, with REAPI's names for instruction sets."""
    machine = platform.machine()
    return {"OSFamily": sys.platform, "ISA": {"x86_64": "x86-64", "aarch64": "arm-a64"}.get(machine, machine)}


def package_property(name: str) -> str:
    """Platform property of a Python package's version: a tool may have the same name."""
    return f"python:{name}"


def launcher_arguments(resolved: Resolved) -> list[str]:
    """The command line of the launcher for an action."""
    action, command = resolved.action, resolved.action.command
    context: dict[str, object] = {
        "outputs": sorted(action.outputs),
        "packages": dict(resolved.sources.versions) if resolved.sources else {},
        "tools": dict(resolved.tools),
    }
    if isinstance(command, ToolCommand):
        # The patterns too: a result that passed fewer checks is another result.
        context |= {"environment": dict(command.environment), "error_patterns": list(command.error_patterns)}
        kind, rest = "tool", list(command.argv)
    else:
        kind, rest = "python", [command.function, json.dumps(dict(command.arguments), sort_keys=True)]
    return [LAUNCHER, kind, json.dumps(context, sort_keys=True), *rest]


def reapi_action(resolved: Resolved) -> ReapiAction:
    """The REAPI messages of an action and its key."""
    from finnmake.build.reapi import remote_execution_pb2 as reapi

    action = resolved.action
    message = reapi.Command(arguments=launcher_arguments(resolved))
    message.environment_variables.add(name="PATH", value=WORKER_PATH)
    # The machine's kind too: a shared object of one is no good on another.
    properties = {*resolved.tools.items(), *host_properties().items()}
    if action.licence:
        properties.add((LICENCE, action.licence))
    inputs = dict(resolved.inputs)
    if resolved.sources is not None:
        properties.update((package_property(name), version) for name, version in resolved.sources.versions.items())
        inputs.update((f"{SOURCE_FOLDER}/{path}", file) for path, file in resolved.sources.files.items())
    message.output_paths.extend(sorted(path.removesuffix("/") for path in action.outputs))
    root, directories = merkle_tree(inputs)
    # REAPI wants properties sorted by name, then value.
    for name, value in sorted(properties):
        message.platform.properties.add(name=name, value=value)
    command_bytes = message.SerializeToString(deterministic=True)
    command_digest = digest_of_bytes(command_bytes)
    action_message = reapi.Action(
        command_digest=reapi.Digest(hash=command_digest.sha256, size_bytes=command_digest.size),
        input_root_digest=reapi.Digest(hash=root, size_bytes=len(directories[root])),
        salt=SALT.encode(),
    )
    # Where a server looks for the platform since version 2.2 of the protocol.
    action_message.platform.CopyFrom(message.platform)
    action_bytes = action_message.SerializeToString(deterministic=True)
    return ReapiAction(digest_of_bytes(action_bytes).sha256, action_bytes, command_bytes, directories)
