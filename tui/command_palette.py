"""The command palette's entries, made from the bindings of the screen it was opened on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from textual.binding import ActiveBinding
from textual.command import DiscoveryHit, Hit, Hits, Provider

NEVER = frozenset({"app.command_palette", "command_palette"})

Entry = tuple[str, str | None, Callable[[], Any]]
"""Title, more about it, and what does it."""


class Commands(Provider):
    """What can be done now, as `shards: Retry shards`; then what Textual itself offers.

    The only provider: entries of several stand in another order with every start.
    """

    async def discover(self) -> Hits:
        for title, more, run in self.entries():
            yield DiscoveryHit(title, run, help=more)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, more, run in self.entries():
            if (score := matcher.match(title)) > 0:
                yield Hit(score, matcher.highlight(title), run, text=title, help=more)

    def entries(self) -> Iterator[Entry]:
        seen = set(NEVER)
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if active.enabled and binding.id and binding.action not in seen:
                seen.add(binding.action)
                does = binding.tooltip or binding.description
                yield f"{self.topic_of(active)}: {does}", None, self.runner(active)
        for command in self.app.get_system_commands(self.screen):
            yield command.title, command.help, command.callback

    def topic_of(self, active: ActiveBinding) -> str:
        return "app" if active.node is self.app else type(self.screen).__name__.lower()

    def runner(self, active: ActiveBinding) -> Callable[[], Any]:
        async def run() -> None:
            await self.app.run_action(active.binding.action, active.node)

        return run
