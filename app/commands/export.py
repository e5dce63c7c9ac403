"""`prunescope export`: figures of a run as files for a paper, a whole run as one HTML file or as a ZIP.

Without --figure, --format html writes all pages of the run into one file that needs no server, and
--format zip packs the run's folder, for `prunescope import` elsewhere.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from prunescope.app.commands.common import OK, Problem, add_flag, add_json, add_logdir, find_run, print_json

WHOLE = ("html", "zip")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "export", help="write figures of a run, or the run itself, to files", description=__doc__
    )
    parser.add_argument("id", metavar="RUN", help="the run; with --link it may be left out as -")
    add_flag(parser, "--figure", type=listed, metavar="NAME,NAME", help="which figures, or 'all'; see --list")
    add_flag(parser, "--format", default="svg", type=listed, metavar="FORMAT,…",
             help="svg, pdf, png, html, csv, json, py; without --figure: html, zip")  # fmt: skip
    add_flag(parser, "--out", default=".", type=Path, metavar="FOLDER", help="where the files go")
    add_flag(parser, "--link", help="take the view from a copied link of the dashboard")
    parser.add_argument("--view", action="append", default=[], metavar="KEY=VALUE",
                        help="a setting, as in the dashboard's address, e.g. k=6; may be repeated")  # fmt: skip
    add_flag(parser, "--layer", help="which layer (default: the first)")
    add_flag(parser, "--epoch", type=float, help="which epoch (default: the latest)")
    add_flag(parser, "--width", default="column", help="column, text, slide, or a length such as 120mm or 5in")
    add_flag(parser, "--height", default="", help="a length (default: one that suits the figure)")
    add_flag(parser, "--font", default="arial", help="arial, times, computer-modern, dejavu")
    add_flag(parser, "--font-size", default=0.0, type=float, help="in points; 0: the preset's", metavar="PT")
    add_flag(parser, "--line-width", default=0.0, type=float, help="in points; 0: the preset's", metavar="PT")
    add_flag(parser, "--legend", default="labels", help="labels (at the curves), right, top, bottom, inside, none")
    add_flag(parser, "--letter", default="", help="panel letter, e.g. a; with several figures the first one's")
    add_flag(parser, "--background", default="white", help="white or none")
    add_flag(parser, "--model", help="module:callable that makes the network, for runs of own loops")
    add_flag(parser, "--data", help="module:callable that loads the held-out examples, for runs of own loops")
    parser.add_argument("--list", action="store_true", help="list the figures and end")
    add_logdir(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def listed(text: str) -> list[str]:
    """Parse names separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def run(options: argparse.Namespace) -> int:
    """Export; 2 when something asked for does not exist, 1 when a program that is needed is missing or fails."""
    from prunescope.app import export

    if options.list:
        titles = export.figures()
        print_json(titles) if options.json else print(
            *(f"{name:14} {title}" for name, title in titles.items()), sep="\n"
        )
        return OK
    from prunescope.engine.store import Store, StoreError

    store = Store(options.logdir)
    view = view_of(options)
    run_id = view.pop("run", "") if options.id == "-" else options.id
    view.pop("run", None)
    found = find_run(store, run_id)
    try:
        paths = whole_run(options, store, found) if not options.figure else figures(options, store, found.id, view)
    except (ValueError, StoreError, OSError) as error:
        raise Problem(str(error), Problem.FAILED) from None
    print_json({"files": [str(path) for path in paths]}) if options.json else print(*paths, sep="\n")
    return OK


def figures(options: argparse.Namespace, store: Any, run_id: str, view: dict[str, str]) -> list[Path]:
    from dataclasses import replace

    from prunescope.app import export

    try:
        style = export.PaperStyle(
            width=options.width,
            height=options.height,
            font=options.font,
            size=options.font_size,
            line=options.line_width,
            legend=options.legend,
            letter=options.letter,
            background=options.background,
        )
        export.whole_view(run_id, view)
        names = list(export.figures()) if options.figure == ["all"] else options.figure
        for name in names:
            export.known_figure(name)
        if unknown := [kind for kind in options.format if kind not in export.FORMATS]:
            raise ValueError(f"--format {unknown[0]}: use {', '.join(export.FORMATS)}.")
    except ValueError as error:
        raise Problem(str(error)) from None
    logged = view.get("log", "").split(",")
    documents = []
    with export.exporter(store, model=options.model, data=options.data) as ours:
        for number, name in enumerate(names):
            letter = following(style.letter, number)
            try:
                document = ours.document(run_id, name, view, replace(style, letter=letter, log=name in logged))
            except ValueError as error:
                if options.figure != ["all"]:
                    raise
                # A layer of two inputs has no third axis, a run without its data no curve: the others are wanted still.
                print(f"{name}: left out: {error}", file=sys.stderr, flush=True)
                continue
            print(f"{name} …", file=sys.stderr, flush=True)
            documents.append(document)
    return export.write(documents, options.format, options.out)


def whole_run(options: argparse.Namespace, store: Any, found: Any) -> list[Path]:
    from prunescope.app.exporting import archive, travel

    if unknown := [kind for kind in options.format if kind not in WHOLE]:
        raise Problem(f"--format {unknown[0]} is for figures: name one with --figure, or ask for {' or '.join(WHOLE)}.")
    options.out.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind in options.format:
        path = options.out / f"{found.id}.{kind}"
        if kind == "zip":
            archive.pack(found, path)
        else:
            from prunescope.app import export, layout
            from prunescope.app.settings import Settings

            with export.exporter(store, model=options.model, data=options.data) as ours:
                page = layout.page(Settings(logdir=options.logdir))
                path.write_text(travel.as_html(ours.rows, found, page, _tell), encoding="utf-8")
        paths.append(path)
    return paths


def _tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def following(letter: str, number: int) -> str:
    """The letter of a later panel: a, b, c; (a), (b)."""
    for first in ("a", "A"):
        if first in letter:
            return letter.replace(first, chr(ord(first) + number)) if number < 26 else ""
    return letter if number == 0 else ""


def view_of(options: argparse.Namespace) -> dict[str, str]:
    """The view: of the link, then --view, then --layer and --epoch."""
    from urllib.parse import parse_qsl, urlsplit

    from prunescope.app.state import BY_NAME

    view: dict[str, str] = {}
    if options.link:
        # A link of a later version may know more keys: they are ignored, as everywhere.
        view = {key: value for key, value in parse_qsl(urlsplit(options.link).query) if key in BY_NAME}
    for text in options.view:
        key, equals, value = text.partition("=")
        if not equals:
            raise Problem(f"--view {text!r} is not KEY=VALUE. Write e.g. --view k=6.")
        view[key.strip()] = value.strip()
    if options.layer is not None:
        view["layer"] = options.layer
    if options.epoch is not None:
        view |= {"epoch": f"{options.epoch:g}", "follow": "0"}
    return view
