"""The command palette's entries, made from the bindings of the screen it was opened on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

from textual.binding import ActiveBinding
from textual.command import DiscoveryHit, Hit, Hits, Provider

NEVER = frozenset({"app.command_palette", "command_palette"})


class Commands(Provider):
    """What can be done now on this screen, as `shards: Retry shards`."""

    topic = "app"

    async def discover(self) -> Hits:
        for title, active in self.entries():
            yield DiscoveryHit(title, self.runner(active), help=active.tooltip or None)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, active in self.entries():
            if (score := matcher.match(title)) > 0:
                shown = matcher.highlight(title)
                yield Hit(score, shown, self.runner(active), text=title, help=active.tooltip)

    def entries(self) -> Iterator[tuple[str, ActiveBinding]]:
        seen = set(NEVER)
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if active.enabled and binding.id and binding.action not in seen:
                seen.add(binding.action)
                yield f"{self.topic_of(active)}: {binding.tooltip or binding.description}", active

    def topic_of(self, active: ActiveBinding) -> str:
        return "app" if active.node is self.app else self.topic

    def runner(self, active: ActiveBinding) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            await self.app.run_action(active.binding.action, active.node)

        return run
