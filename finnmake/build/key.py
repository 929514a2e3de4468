"""From an action to its key: the SHA-256 of the REAPI ``Action`` that says the same.

Never in a key: absolute paths, task names, times, user, host, number of CPUs, undeclared environment.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from finnmake.build.action import Action, PythonCommand, ToolCommand
from finnmake.build.digest import Digest, FileDigest, digest_of_bytes
from finnmake.build.merkle import merkle_tree
from finnmake.build.sources import Sources

SALT = "finnmake-key-v1"

SOURCE_FOLDER = ".python"
"""Where the input tree of a Python action has the sources that it runs."""


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
        return json.dumps(
            [
                SALT,
                said,
                sorted((path, *file) for path, file in self.inputs.items()),
                sorted(self.action.outputs),
                sorted(self.tools.items()),
                self.sources.digest if self.sources else "",
            ],
            sort_keys=True,
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


def reapi_action(resolved: Resolved) -> ReapiAction:
    """The REAPI messages of an action and its key."""
    from finnmake.build.reapi import remote_execution_pb2 as reapi

    action = resolved.action
    message = reapi.Command()
    properties = [(name, version) for name, version in resolved.tools.items()]
    inputs = dict(resolved.inputs)
    salt = [SALT]
    command = action.command
    if isinstance(command, ToolCommand):
        message.arguments.extend(command.argv)
        for name, value in sorted(command.environment.items()):
            message.environment_variables.add(name=name, value=value)
        # Not something that a worker could act on, but a result that passed fewer checks is another result.
        salt.extend(command.error_patterns)
    else:
        arguments = json.dumps(dict(command.arguments), sort_keys=True)
        message.arguments.extend(("python", "-m", "finnmake.build.worker_process", command.function, arguments))
        message.environment_variables.add(name="PYTHONPATH", value=SOURCE_FOLDER)
        if resolved.sources is not None:
            properties.extend(resolved.sources.versions.items())
            inputs.update((f"{SOURCE_FOLDER}/{path}", file) for path, file in resolved.sources.files.items())
    message.output_paths.extend(sorted(path.removesuffix("/") for path in action.outputs))
    root, directories = merkle_tree(inputs)
    # REAPI wants properties sorted by name, then value.
    for name, value in sorted(set(properties)):
        message.platform.properties.add(name=name, value=value)
    command_bytes = message.SerializeToString(deterministic=True)
    command_digest = digest_of_bytes(command_bytes)
    action_message = reapi.Action(
        command_digest=reapi.Digest(hash=command_digest.sha256, size_bytes=command_digest.size),
        input_root_digest=reapi.Digest(hash=root, size_bytes=len(directories[root])),
        # JSON, not lines: a separator inside a pattern must not make two salts equal.
        salt=(salt[0] if len(salt) == 1 else json.dumps(salt)).encode(),
    )
    # Where a server looks for the platform since version 2.2 of the protocol.
    action_message.platform.CopyFrom(message.platform)
    action_bytes = action_message.SerializeToString(deterministic=True)
    return ReapiAction(digest_of_bytes(action_bytes).sha256, action_bytes, command_bytes, directories)
