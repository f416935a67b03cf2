"""The command palette's entries, made from the bindings of the screen it was opened on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from textual.binding import ActiveBinding
from textual.command import DiscoveryHit, Hit, Hits, Provider

from tui.keys.action import declaration_of

PaletteEntry = tuple[str, str | None, Callable[[], Any]]
"""The title, the help text under it, and the function that does it."""


class BindingCommands(Provider):
    """Offers every binding that can work now, as `shards: Retry shards`, then Textual's commands.

    It is the only provider: Textual shows the entries of several in another order at every start.
    """

    async def discover(self) -> Hits:
        for title, help_text, run in self.entries():
            yield DiscoveryHit(title, run, help=help_text)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, help_text, run in self.entries():
            if (score := matcher.match(title)) > 0:
                yield Hit(score, matcher.highlight(title), run, text=title, help=help_text)

    def entries(self) -> Iterator[PaletteEntry]:
        seen: set[str] = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if self.is_offered(active) and binding.action not in seen:
                seen.add(binding.action)
                title = binding.tooltip or binding.description
                yield f"{self.topic_of(active)}: {title}", None, self.runner(active)
        for command in self.app.get_system_commands(self.screen):
            yield command.title, command.help, command.callback

    def is_offered(self, active: ActiveBinding) -> bool:
        """True if a binding can work now and is one of ours that the palette offers."""
        declared = declaration_of(active)
        hidden = declared is not None and not declared.in_palette
        return active.enabled and bool(active.binding.id) and not hidden

    def topic_of(self, active: ActiveBinding) -> str:
        """Return the topic before the colon: `app`, or the class of the screen in lower case."""
        return "app" if active.node is self.app else type(self.screen).__name__.lower()

    def runner(self, active: ActiveBinding) -> Callable[[], Any]:
        """Return a function that runs the action of a binding on the node that declared it."""

        async def run() -> None:
            await self.app.run_action(active.binding.action, active.node)

        return run
