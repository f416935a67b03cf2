"""The process that renders one chat template under limits (see `chat_template`).

It reads a request from stdin, a JSON object, and writes `{"text"}` or `{"error"}` to stdout.
"""

from __future__ import annotations

import json
import math
import resource
import sys
from pathlib import Path
from typing import Any

from transformers.utils.chat_template_utils import render_jinja_template


def limit(cpu_seconds: int, memory_bytes: int) -> None:
    """Let this process compute so many seconds more, and take so many bytes of memory more."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(used.ru_utime + used.ru_stime) + cpu_seconds
    # The kernel sends SIGXCPU at the first limit, SIGKILL at the second.
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # others do not keep this limit
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def answer(request: dict[str, Any]) -> dict[str, str]:
    """Return the answer to a request."""
    limit(request["cpu_seconds"], request["memory_bytes"])
    try:
        (text,), _ = render_jinja_template(
            conversations=[request["conversation"]],
            chat_template=request["template"],
            add_generation_prompt=not request["continues"],
            continue_final_message=request["continues"],
            **request["variables"],
        )
    except MemoryError:
        return {"error": f"it needs more than {request['memory_bytes'] // 2**20} MiB of memory"}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]}
    if len(text) > request["max_characters"]:
        return {"error": f"it makes a prompt of {len(text):,} characters"}
    return {"text": text}


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
