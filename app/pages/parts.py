"""The pieces that every page is put together from."""

from typing import Any

from dash import html


def figure_card(
    figure: str, title: str, *, note: Any = "", how: list[Any], size: str = "tall", name: str = ""
) -> html.Section:
    """One figure: title, a quiet note, the menu, the plot, and the words behind "How is this computed?"."""
    return html.Section(
        className=f"card figure-card {size}",
        children=[
            html.Div(
                className="card-head",
                children=[
                    html.H2(title),
                    html.Span(note, className="card-note"),
                    html.Button("how is this computed?", type="button", className="ask", **{"data-how": ""}),
                    html.Button(
                        "⋯",
                        type="button",
                        className="dots",
                        **{"data-menu": "", "aria-label": f"Menu of “{title}”", "aria-haspopup": "menu"},
                    ),
                ],
            ),
            html.Div(className="plot", role="group", **{"aria-label": name or title}),
            html.Div(className="how", hidden=True, children=how),
        ],
        **{"data-figure": figure},
    )


def head(page: str) -> html.Div:
    """The finding in one sentence, then one grey line that says what it is about."""
    return html.Div(
        className="page-head",
        children=[
            html.H1(id=f"{page}-finding"),
            html.P(id=f"{page}-sub", className="sub"),
            html.Div(
                className="notice-line",
                children=[
                    html.P(className="notice", role="status", **{"data-notice": ""}),
                    html.Button("Stop", type="button", className="small", hidden=True, **{"data-do": "stop"}),
                    html.Button("Try again", type="button", className="small", hidden=True, **{"data-do": "again"}),
                ],
            ),
        ],
    )


def readout(
    page: str,
    *,
    note: str = "",
    note_id: str = "",
    error: bool = False,
    chip: str = "",
    chip_note: str = "",
    chip_note_id: str | None = None,
) -> html.Div:
    """The one big number of a page, with its uncertainty."""
    children: list[Any] = [
        html.Div(
            className="big-line",
            children=[
                html.Span(id=f"{page}-big", className="big"),
                html.Span(id=f"{page}-big-error", className="big-error") if error else None,
            ],
        ),
        html.P(note, id=note_id or f"{page}-big-note", className="big-note"),
    ]
    if chip:
        children.append(
            html.P([html.Span(id=chip, className="chip"), _span(chip_note, chip_note_id)], className="big-note")
        )
    return html.Div(className="card readout", children=children)


def _span(text: str, component_id: str | None) -> html.Span:
    return html.Span(text) if component_id is None else html.Span(text, id=component_id)


def controls(*names: str) -> list[html.Div]:
    """Places that the browser fills with the controls of these view keys."""
    return [html.Div(**{"data-control": name}) for name in names]


def asked(*names: str) -> list[html.Div]:
    """The same, each shown only while the page's answer says that it hangs on that key (``controls``)."""
    return [html.Div(hidden=True, **{"data-control": name, "data-asked": ""}) for name in names]


def more(*names: str) -> html.Details:
    return html.Details(className="more", children=[html.Summary("More controls"), *controls(*names)])


def legend(page: str, title: str, list_id: str) -> html.Div:
    return html.Div(className="card legend", children=[html.H2(title), html.Ul(id=list_id)])


def page(name: str, feed: str, main: list[Any], rail: list[Any]) -> html.Section:
    return html.Section(
        id=f"page-{name}",
        className="page",
        hidden=True,
        children=[
            html.Div(className="page-main", children=[head(name), html.Div(className="grid", children=main)]),
            html.Aside(className="rail", children=rail, **{"aria-label": "Controls"}),
        ],
        **{"data-feed": feed},
    )


def paragraphs(*texts: Any) -> list[html.P]:
    return [html.P(text) for text in texts]
