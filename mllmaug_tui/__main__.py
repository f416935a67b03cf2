"""The command `mllmaug-tui`, also as `python -m mllmaug_tui`."""

from __future__ import annotations

import sys

from mllmaug_tui.own_packages import ROOT


def main() -> None:
    """Run the command, whatever lies in the current folder or on PYTHONPATH."""
    # Before a folder with an engine.py or a tui/ of its own: this process is ours alone.
    sys.path.insert(0, ROOT)
    from tui.cli.main import main as run_command

    run_command()


if __name__ == "__main__":
    main()
