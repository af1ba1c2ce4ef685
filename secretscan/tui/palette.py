"""The command palette: every action that is open now, by its sentence."""

from __future__ import annotations

from collections.abc import Iterator

from textual.command import DiscoveryHit, Hit, Hits, Provider

from secretscan.tui.actions import Action, in_scope, shown

__all__ = ["Commands"]


class Commands(Provider):
    """The actions of the screen it was opened over."""

    def _actions(self) -> Iterator[tuple[Action, str]]:
        seen: set[str] = set()
        by_name = {binding.id: binding for _, binding, enabled, _ in self.screen.active_bindings.values() if enabled}
        for scope in (getattr(self.screen, "SCOPE", ""), *getattr(self.screen, "SCOPES", ()), "app"):
            for action in in_scope(scope):
                binding = by_name.get(action.name)
                if binding is not None and action.name not in seen:
                    seen.add(action.name)
                    yield action, binding.key

    async def discover(self) -> Hits:
        for action, key in self._actions():
            yield DiscoveryHit(f"{action.label}  ({shown(key)})", self._run(key), help=action.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action, key in self._actions():
            score = max(matcher.match(action.label), matcher.match(action.help))
            if score > 0:
                text = f"{action.label}  ({shown(key)})"
                yield Hit(score, matcher.highlight(text), self._run(key), text=text, help=action.help)

    def _run(self, key: str):  # type: ignore[no-untyped-def]
        async def press() -> None:
            await self.app.run_action(f"app.press('{key}')")

        return press
