"""What is done with single shards and records."""

from __future__ import annotations

from pathlib import Path

import click

from tui.commandline.answers import answer, opened
from tui.commandline.options import project_argument


@click.command()
@project_argument
@click.option("--shard", "shards", multiple=True, type=int, metavar="N")
@click.option("--model", "models", multiple=True, metavar="NAME")
@click.option("--failed-items", is_flag=True, help="Only the failed records.")
def retry(
    project: Path, shards: tuple[int, ...], models: tuple[str, ...], failed_items: bool
) -> None:
    """Do shards again: those named, else every failed one; captions stay until replaced."""
    from engine.selection import select_tasks

    found = opened(project)
    tasks = select_tasks(found, shards, models, failed_items)
    answer(found, "retry", tasks=tasks, failed_items=failed_items)
