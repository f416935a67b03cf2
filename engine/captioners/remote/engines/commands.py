"""The command line with which each engine serves a checkpoint. Nothing is started here.

An engine listens on this machine alone, and takes its API key from the environment where it can:
others see the arguments of a process. The options are those of the engines' own documentation:
docs/engines.md says which of them were run.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from engine.captioners.errors import CheckpointError
from engine.captioners.settings import Settings

HOST = "127.0.0.1"
"""The address on which a server listens: that of this machine alone."""
KEY_VARIABLE = "MLLMAUG_SERVER_KEY"
"""The environment variable in which every server finds its API key."""
PLACEHOLDER = re.compile(r"\{(model|port|key)\}")
"""What stands in a command for the checkpoint, the port and the API key."""
PROJECTOR = "mmproj"
"""What the name of the GGUF file with the vision tower begins with."""
SPLIT_FILE = re.compile(r"-(\d{5})-of-\d{5}\.gguf$")
"""The end of the name of a GGUF file that is a part of one model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerCommand:
    """How a server is started and asked whether it is ready."""

    arguments: tuple[str, ...]
    """The command and its arguments."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Variables that are added to the environment."""
    health: str = "/health"
    """The path that answers with status 200 once the server is ready."""
    served_model: str | None = None
    """Id of the model to ask for; None if the server lists it."""


def server_command(
    settings: Settings, folder: str, device: str, port: int, key: str
) -> ServerCommand:
    """Return the command that serves a checkpoint folder on a device (`cuda`, `cpu`, ...).

    Raises `CheckpointError` for a folder that the engine cannot serve.
    """
    own_command = settings.backend_command
    if own_command is not None:
        values = {"model": folder, "port": str(port), "key": key}
        arguments = [PLACEHOLDER.sub(lambda it: values[it[1]], text) for text in own_command]
        command = ServerCommand(arguments=tuple(arguments), health="/v1/models")
    elif settings.backend == "llama.cpp":
        program = settings.interpreter or program_in_path("llama-server")
        command = llama_cpp(program, Path(folder), port, key)
    else:
        python = settings.interpreter or python_with(settings.backend)
        command = PYTHON_ENGINES[settings.backend](python, folder, device, port, key)
    return ServerCommand(
        arguments=(*command.arguments, *settings.engine_arguments),
        environment={**command.environment, KEY_VARIABLE: key},
        health=command.health,
        served_model=settings.served_model or command.served_model,
    )


def program_in_path(name: str) -> str:
    """Return the path of a program. Raises `CheckpointError` if there is none."""
    program = shutil.which(name)
    if program is None:
        raise CheckpointError(f"there is no {name} in the PATH: name it in the setting interpreter")
    return program


def python_with(package: str) -> str:
    """Return our own Python. Raises `CheckpointError` if it has no such package."""
    if find_spec(package) is None:
        raise CheckpointError(
            f"{package} is not installed for {sys.executable}: name the Python of its environment"
            " in the setting interpreter"
        )
    return sys.executable


def vllm(python: str, folder: str, device: str, port: int, key: str) -> ServerCommand:
    return ServerCommand(
        arguments=(
            *(python, "-m", "vllm.entrypoints.openai.api_server", "--model", folder),
            *("--host", HOST, "--port", str(port)),
            "--disable-uvicorn-access-log",
        ),
        environment={"VLLM_API_KEY": key},
    )


def sglang(python: str, folder: str, device: str, port: int, key: str) -> ServerCommand:
    on_cpu = ("--device", "cpu") if device == "cpu" else ()
    return ServerCommand(
        arguments=(
            *(python, "-m", "sglang.launch_server", "--model-path", folder, *on_cpu),
            *("--host", HOST, "--port", str(port), "--api-key", key),
        )
    )


def lmdeploy(python: str, folder: str, device: str, port: int, key: str) -> ServerCommand:
    return ServerCommand(
        arguments=(
            *(python, "-m", "lmdeploy", "serve", "api_server", folder),
            *("--server-name", HOST, "--server-port", str(port), "--api-keys", key),
        )
    )


def transformers(python: str, folder: str, device: str, port: int, key: str) -> ServerCommand:
    # It knows no API key, and lists no model.
    return ServerCommand(
        arguments=(
            *(python, "-m", "transformers.cli.transformers", "serve", folder, "--device", device),
            *("--host", HOST, "--port", str(port)),
        ),
        served_model=folder,
    )


PYTHON_ENGINES = {
    "vllm": vllm,
    "sglang": sglang,
    "lmdeploy": lmdeploy,
    "transformers": transformers,
}
"""The engines that are Python programs, by their names in `settings.ENGINES`."""


def llama_cpp(program: str, folder: Path, port: int, key: str) -> ServerCommand:
    model, projector = gguf_files(folder)
    return ServerCommand(
        arguments=(
            *(program, "--model", str(model), "--mmproj", str(projector)),
            *("--host", HOST, "--port", str(port)),
        ),
        environment={"LLAMA_API_KEY": key},
    )


def gguf_files(folder: Path) -> tuple[Path, Path]:
    """Return the file of the language model (the first of its parts) and that of the vision tower.

    Raises `CheckpointError` if it is not clear which they are.
    """
    files = sorted(folder.glob("*.gguf"))
    projectors = [file for file in files if file.name.startswith(PROJECTOR)]
    models = [
        file
        for file in files
        if file not in projectors and (part_of(file) is None or part_of(file) == 1)
    ]
    for name, found in (("model", models), (f"vision tower ({PROJECTOR}*.gguf)", projectors)):
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "none"
            raise CheckpointError(
                f"{folder} must have one GGUF file of the {name}, not {names}: put the files that"
                " belong together into a separate folder"
            )
    return models[0], projectors[0]


def part_of(file: Path) -> int | None:
    """Return which part of a model a GGUF file is, counted from 1; None for a whole model."""
    match = SPLIT_FILE.search(file.name)
    return int(match[1]) if match else None
