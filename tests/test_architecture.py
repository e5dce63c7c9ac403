"""The house, as rules on imports: who may know whom. Read it as a map."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
STANDARD = sys.stdlib_module_names
WEB = {"dash", "dash_mantine_components", "flask", "plotly", "waitress", "werkzeug"}


class Import(NamedTuple):
    """One imported module, and whether merely importing the file reaches it."""

    file: str
    module: str
    at_once: bool


def imports(*folders: str) -> list[Import]:
    """Every import below the folders, those inside functions too; what only type checkers see is left out."""
    found = []
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            file = str(path.relative_to(ROOT))
            for node, at_once in _nodes(ast.parse(path.read_text()), True):
                names = [alias.name for alias in node.names]
                if isinstance(node, ast.ImportFrom):
                    assert node.level == 0, f"{file}: relative import"
                    # "from package import name" may import a module of that name.
                    names = [node.module, *(f"{node.module}.{name}" for name in names)]
                found += [Import(file, name, at_once) for name in names]
    return found


def _nodes(node: ast.AST, at_once: bool) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, at_once
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            yield from ((found, at_once) for other in child.orelse for found in _nodes(other, at_once))
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _nodes(child, at_once and not inside)


def top(module: str) -> str:
    return module.split(".")[0]


def offenders(found: list[Import], forbidden: set[str]) -> list[Import]:
    return [one for one in found if any(f"{one.module}.".startswith(f"{name}.") for name in forbidden)]


def test_the_engine_knows_nothing_of_the_web() -> None:
    assert offenders(imports("engine"), WEB | {"prunescope.app"}) == []


def test_the_geometry_sees_arrays_only_no_torch_no_disk_no_clock() -> None:
    allowed = {"numpy", "scipy", "sklearn"}
    away = {"os", "io", "pathlib", "shutil", "tempfile", "time", "datetime", "socket", "subprocess", "sqlite3"}
    found = imports("engine/geometry")
    assert [
        one for one in found
        if not one.module.startswith("prunescope.engine.geometry")
        and one.module != "prunescope.engine"
        and top(one.module) not in allowed | (STANDARD - away)
    ] == []


def test_the_store_stands_alone_and_alone_knows_diskcache() -> None:
    inner = [one for one in imports("engine/store") if one.module.startswith("prunescope.")]
    assert [one for one in inner if not one.module.startswith("prunescope.engine.store")] == []
    for package in ("diskcache", "sqlite3"):
        users = {one.file for one in offenders(imports("engine", "app"), {package})}
        # An experiment's run table is no recorded data: a file of its own beside the runs.
        allowed = ("engine/store/", "app/commands/doctor", "engine/experiments/table.py")
        assert {file for file in users if not file.startswith(allowed)} == set()


def test_a_figure_is_drawn_from_arrays_alone() -> None:
    found = imports("app/figures")
    allowed = STANDARD | {"numpy", "plotly"}
    assert [
        one for one in found
        if top(one.module) not in allowed and not one.module.startswith("prunescope.app.figures")
        and one.module != "prunescope.app"
    ] == []


def test_the_dashboard_starts_without_torch() -> None:
    assert [one for one in offenders(imports("app"), {"torch", "torchvision"}) if one.at_once] == []


@pytest.mark.parametrize(
    "module",
    ["prunescope.engine", "prunescope.engine.store", "prunescope.engine.config", "prunescope.engine.geometry",
     "prunescope.engine.launch", "prunescope.app.cli", "prunescope.app.server"],
)
def test_importing_it_reaches_no_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_commands_that_serve_nothing_reach_no_web_framework() -> None:
    code = "import sys, prunescope.app.cli; sys.exit(bool({'dash', 'flask', 'plotly'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_public_names_need_no_dash() -> None:
    code = (
        "import sys\n"
        "for name in ('dash', 'plotly', 'flask', 'prunescope.app'): sys.modules[name] = None\n"
        "from prunescope.engine import Recorder, RunConfig, Store, train\n"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_modules_import_each_other_in_no_circle() -> None:
    files = {path for folder in ("engine", "app") for path in (ROOT / folder).rglob("*.py")}
    names = {".".join(["prunescope", *path.relative_to(ROOT).with_suffix("").parts]): path for path in files}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    graph: dict[str, set[str]] = {name: set() for name in names}
    by_file = {str(path.relative_to(ROOT)): name for name, path in names.items()}
    for one in imports("engine", "app"):
        importer = by_file[one.file]
        # A package's own __init__ is under way when its modules are imported: that is no circle.
        if one.at_once and one.module in names and not importer.startswith(f"{one.module}."):
            graph[importer].add(one.module)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_nothing_is_unpickled_evaluated_or_executed() -> None:
    code = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    assert offenders(imports("engine", "app"), code) == []
    for folder in ("engine", "app"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    assert node.func.id not in ("eval", "exec", "__import__"), path
                for word in getattr(node, "keywords", []):
                    if word.arg == "weights_only":
                        assert isinstance(word.value, ast.Constant) and word.value.value is True, path


def test_every_torch_load_reads_weights_only() -> None:
    for path in (*(ROOT / "engine").rglob("*.py"), *(ROOT / "app").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert any(word.arg == "weights_only" for word in node.keywords), path


def test_no_page_and_no_script_of_ours_loads_from_another_host() -> None:
    ours = [*(ROOT / "assets").rglob("*.css"), *(ROOT / "assets").rglob("*.js"), *(ROOT / "app").rglob("*.py")]
    for path in ours:
        if path.name.startswith("plotly"):
            continue
        text = path.read_text()
        assert not re.search(r"@import\s|url\(\s*['\"]?https?:|src=['\"]https?:|fetch\(\s*['\"`]https?:", text), path
