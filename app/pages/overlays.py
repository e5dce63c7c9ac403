"""What lies over every page: the selected units' price, and one unit's drawer."""

from dash import html
from prunescope.app.pages import parts


def selection() -> html.Section:
    return html.Section(
        id="selection",
        className="card overlay",
        hidden=True,
        children=[
            html.Div(
                className="card-head",
                children=[
                    html.H2(id="selection-title"),
                    html.Button("Undo", type="button", className="small", **{"data-do": "undo"}),
                    html.Button("Clear", type="button", className="small", **{"data-do": "clear"}),
                ],
            ),
            html.P(id="selection-sub", className="big-note"),
            html.Div(className="legend", children=[html.Ul(id="selection-lines")]),
            html.P(className="notice", role="status", **{"data-notice": ""}),
        ],
        **{"data-feed": "selection", "aria-label": "Selected units"},
    )


def drawer() -> html.Aside:
    return html.Aside(
        id="drawer",
        className="drawer",
        hidden=True,
        children=[
            html.Div(
                className="card-head",
                children=[
                    html.H2(id="unit-title"),
                    html.Button("×", type="button", className="close", **{"data-do": "close", "aria-label": "Close"}),
                ],
            ),
            html.P(id="unit-sub", className="big-note"),
            html.P(id="unit-drop", className="card-text strong"),
            html.P(className="notice", role="status", **{"data-notice": ""}),
            parts.figure_card(
                "unit-picture",
                "Its weights",
                how=parts.paragraphs(
                    "The incoming weights as an image. Of a convolution: a tile an input channel (the first 16). Of a "
                    "layer that reads the image itself: the image's shape, a tile a colour. Of any other layer: its "
                    "inputs in their order, row by row. Blue is positive, vermilion negative; the scale follows the "
                    "epoch."
                ),
                size="low wide",
            ),
            parts.figure_card(
                "unit-course",
                "Its course",
                how=parts.paragraphs(
                    "‖w‖ of this unit (left axis); its angle to the centre of its cluster and to its own weights at "
                    "epoch 0 (right axis)."
                ),
                size="low wide",
            ),
            html.H3("Nearest by cosine"),
            html.Div(className="legend", children=[html.Ul(id="unit-nearest")]),
            html.Button("Add to the selection", type="button", className="small", **{"data-do": "select"}),
        ],
        **{"data-feed": "unit unit-drop", "aria-label": "One unit"},
    )
