"""The command palette's entries: the actions of this screen, of the application, of other screens.

Those that cannot work now come last, greyed, with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from textual.binding import ActiveBinding, Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from tui.keys.action import Action, declaration_of, reason_disabled
from tui.keys.action_search import Searchable, rank
from tui.keys.screen_actions import ACTIONS_OF_SCREENS
from tui.session.feedback import notify

KEY_CELLS = 9
"""Cells of the column of keys: `ctrl+r` and a blank on each side."""
HERE, ELSEWHERE, OFF = 2, 1, 0
"""Where an action can work: now, on another screen, not now. The first come first."""
RANK_STEP = 1000
"""More than any sum of weights: where an action works goes before how well it matches."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of the palette."""

    key: str
    """The key as a person reads it; empty for what has none."""
    name: str
    text: str
    """What the action does."""
    id: str
    synonyms: str
    place: int
    """One of HERE, ELSEWHERE and OFF."""
    note: str = ""
    """Why it cannot work now, or the screen where it does."""
    run: Callable[[], Any]

    @property
    def searchable(self) -> Searchable:
        text = f"{self.text} {self.id}"
        return Searchable(name=self.name, text=text, synonyms=self.synonyms)

    @property
    def line(self) -> Content:
        dim = "dim" if self.place == OFF else ""
        key = Content.styled(f"{self.key:<{KEY_CELLS}}", dim or "bold $text-primary")
        note = Content.styled(f"  {self.note}" if self.note else "", dim or "$text-muted")
        name = Content.styled(self.name, f"bold {dim}")
        return Content.assemble(key, name, Content.styled(f"  {self.text}", dim), note)


class ActionCommands(Provider):
    """Offers every action, with its key.

    It is the only provider: Textual shows the entries of several in another order at every start.
    """

    async def discover(self) -> Hits:
        for entry in sorted(self.entries(), key=lambda entry: -entry.place):
            yield DiscoveryHit(entry.line, entry.run, text=entry.name)

    async def search(self, query: str) -> Hits:
        entries = list(self.entries())
        for place, weight in rank(query, [entry.searchable for entry in entries]).items():
            entry = entries[place]
            score = entry.place * RANK_STEP + weight
            yield Hit(score, entry.line, entry.run, text=entry.name)

    def entries(self) -> Iterator[Entry]:
        seen: set[str] = set()
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if is_offered(active) and binding.action not in seen:
                seen.add(binding.action)
                yield self.entry_here(active)
        for command in self.app.get_system_commands(self.screen):
            yield Entry(
                key="",
                name=command.title,
                text=command.help,
                id="",
                synonyms="",
                place=HERE,
                run=command.callback,
            )
        if self.app.current_mode in ACTIONS_OF_SCREENS:
            yield from self.entries_elsewhere()

    def entry_here(self, active: ActiveBinding) -> Entry:
        """Return the entry of a binding that is active on the screen."""
        binding, declared = active.binding, declaration_of(active)
        reason = None if active.enabled else reason_disabled(active)
        tell = partial(notify, self.app, f"{binding.description}: {reason}", "warning")
        return Entry(
            key=self.app.get_key_display(binding),
            name=binding.description,
            text=binding.tooltip,
            id=binding.id or "",
            synonyms=declared.synonyms if declared else "",
            place=HERE if active.enabled else OFF,
            note=f"({reason})" if reason else "",
            run=self.runner(active) if active.enabled else tell,
        )

    def entries_elsewhere(self) -> Iterator[Entry]:
        """Yield the actions of the other screens: choosing one goes to its screen."""
        for mode, (title, actions) in ACTIONS_OF_SCREENS.items():
            for action in actions:
                if mode != self.app.current_mode and action.in_palette and action.tooltip:
                    key = self.app.get_key_display(self.with_own_key(action))
                    yield Entry(
                        key=key,
                        name=action.description,
                        text=action.tooltip,
                        id=action.id or "",
                        synonyms=action.synonyms,
                        place=ELSEWHERE,
                        note=f"(on {title})",
                        run=partial(self.go_to, mode, f"{key}: {action.tooltip}"),
                    )

    def with_own_key(self, action: Action[Any]) -> Binding:
        """Return the binding with its first key, or the one that the user's settings give it."""
        keys = self.app._keymap.get(action.id or "", action.key)
        return action.with_key(keys.partition(",")[0].strip())

    async def go_to(self, mode: str, message: str) -> None:
        await self.app.switch_mode(mode)
        notify(self.app, message)

    def runner(self, active: ActiveBinding) -> Callable[[], Any]:
        """Return a function that runs the action of a binding on the node that declared it."""

        async def run() -> None:
            await self.app.run_action(active.binding.action, active.node)

        return run


def is_offered(active: ActiveBinding) -> bool:
    """True if a binding is one of ours that the palette offers: moving has no tooltip."""
    declared = declaration_of(active)
    hidden = declared is not None and not declared.in_palette
    return bool(active.binding.id) and bool(active.binding.tooltip) and not hidden
