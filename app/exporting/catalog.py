"""Which figures there are, read off the pages themselves: title, feeds, and the words on how it is computed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One figure of one page.

    ``feeds`` are those of the page; which of them draws the figure is known only once they are asked. ``note`` is
    the quiet line of its card, or empty where it is a text of the page, called ``note_text``.
    """

    figure: str
    page: str
    title: str
    feeds: tuple[str, ...]
    note: str
    note_text: str
    how: tuple[str, ...]


def figures_of(layouts: Mapping[str, Callable[[], Any]]) -> dict[str, Entry]:
    """Figure id → what its page says of it, in the order of the pages."""
    found: dict[str, Entry] = {}
    for page, layout in layouts.items():
        section = layout()
        feeds = tuple(_attribute(section, "data-feed", "").split())
        for card in _walk(section):
            figure = _attribute(card, "data-figure", "")
            if figure:
                note = next((part for part in _walk(card) if getattr(part, "className", "") == "card-note"), None)
                found[figure] = Entry(
                    figure=figure,
                    page=page,
                    title=_first_heading(card),
                    feeds=feeds,
                    note=_text(note),
                    note_text=next((named for part in _walk(note) if (named := _attribute(part, "id", ""))), ""),
                    how=tuple(
                        text
                        for part in _walk(card)
                        if getattr(part, "className", "") == "how"
                        for child in _children(part)
                        if (text := _text(child).strip())
                    ),
                )
    return found


def _children(component: Any) -> list[Any]:
    children = getattr(component, "children", None)
    if children is None:
        return []
    return list(children) if isinstance(children, list | tuple) else [children]


def _walk(component: Any) -> Iterator[Any]:
    yield component
    for child in _children(component):
        yield from _walk(child)


def _attribute(component: Any, name: str, default: str) -> str:
    return str(getattr(component, name, None) or default)


def _text(component: Any) -> str:
    if component is None or isinstance(component, str | int | float):
        return "" if component is None else str(component)
    return "".join(_text(child) for child in _children(component))


def _first_heading(card: Any) -> str:
    return next((_text(part) for part in _walk(card) if type(part).__name__ == "H2"), "")
