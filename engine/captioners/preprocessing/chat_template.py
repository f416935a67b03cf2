"""Rendering the chat template of a checkpoint, which is a program and comes from anybody.

transformers runs it in jinja's sandbox, which bounds neither its time nor its memory: two nested
loops outlast any patience. So it runs in a process of its own (`template_process`), whose limits
the kernel keeps.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from engine.captioners.errors import CheckpointError

SCRIPT = Path(__file__).with_name("template_process.py")
"""The program of the process. It is run by its path, so that it imports nothing of ours."""
CPU_SECONDS = 10
"""Seconds of computing that a template may take; published ones take a thousandth of one."""
WALL_SECONDS = 120.0
"""Seconds after which the process is given up, where it does not even get to compute."""
MEMORY_BYTES = 512 * 2**20
"""Bytes of memory that a template may take."""
MAX_CHARACTERS = 1_000_000
"""Most characters of a prompt."""
ENDINGS = {
    signal.SIGXCPU: f"it computes for more than {CPU_SECONDS} seconds",
    signal.SIGKILL: "its process was killed, which happens where memory runs out",
}
"""Why a template is refused, by the signal that ended its process."""


def render(
    template: str, conversation: Sequence[Mapping[str, Any]], variables: Mapping[str, Any]
) -> str:
    """Return the text of a conversation, up to where the model's answer begins.

    If the last message is the assistant's, the text ends with it, so that the model goes on with
    it. `variables` are further names that the template knows. Raises `CheckpointError`.
    """
    request = {
        "template": template,
        "conversation": list(conversation),
        "continues": conversation[-1]["role"] == "assistant",
        "variables": dict(variables),
        "cpu_seconds": CPU_SECONDS,
        "memory_bytes": MEMORY_BYTES,
        "max_characters": MAX_CHARACTERS,
    }
    return answer(json.dumps(request, default=str))


@cache
def answer(request: str) -> str:
    """Return the text that the process answers a request with. Raises `CheckpointError`.

    A model that is loaded again has the same request, and a process takes half a second.
    """
    try:
        done = subprocess.run(  # noqa: S603 (our own interpreter and code)
            [sys.executable, "-P", str(SCRIPT)],
            input=request.encode(),
            capture_output=True,
            timeout=WALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise refusal(f"it did not end within {WALL_SECONDS:.0f} seconds") from None
    if done.returncode < 0:
        number = signal.Signals(-done.returncode)
        raise refusal(ENDINGS.get(number, f"its process ended by {number.name}"))
    try:
        said = json.loads(done.stdout)
    except ValueError:
        log = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise refusal(f"its process failed: {log[-1][:200]}") from None
    if "text" not in said:
        raise refusal(str(said.get("error")))
    return str(said["text"])


def refusal(why: str) -> CheckpointError:
    return CheckpointError(f"the checkpoint's chat template cannot be rendered: {why}")
