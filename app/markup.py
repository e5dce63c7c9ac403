"""Dash's HTML components as plain markup: what never changes on a page need not be built by the browser."""

import html
from typing import Any

_VOID = frozenset({"img", "input", "br", "hr"})
_NAMES = {"className": "class", "tabIndex": "tabindex", "htmlFor": "for"}


def to_html(component: Any) -> str:
    """Dash's HTML components as text."""
    if component is None:
        return ""
    if isinstance(component, list | tuple):
        return "".join(to_html(child) for child in component)
    if not hasattr(component, "to_plotly_json"):
        return html.escape(str(component))
    told = component.to_plotly_json()
    tag = told["type"].lower()
    attributes = []
    for name, value in told["props"].items():
        if name == "children" or value is None or value is False:
            continue
        shown = _NAMES.get(name, name)
        attributes.append(shown if value is True else f'{shown}="{html.escape(str(value))}"')
    opening = " ".join([tag, *attributes])
    if tag in _VOID:
        return f"<{opening}>"
    return f"<{opening}>{to_html(told['props'].get('children'))}</{tag}>"
