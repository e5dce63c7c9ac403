"""The wheel holds the tree, one to one, under the product's name."""

import ast
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
HOMES = {"engine": "prunescope/engine", "app": "prunescope/app", "assets": "prunescope/app/assets"}
SKIPPED = ("__pycache__",)


def tree() -> set[str]:
    """Path inside the wheel of every file that belongs there."""
    found = set()
    for folder, home in HOMES.items():
        for path in (ROOT / folder).rglob("*"):
            belongs = folder == "assets" or path.suffix in (".py", ".toml", ".typed")
            if path.is_file() and belongs and not set(path.parts) & set(SKIPPED):
                found.add(f"{home}/{path.relative_to(ROOT / folder).as_posix()}")
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    # Built from a copy: setuptools leaves its own folders behind, and collects what it left last time.
    copy = tmp_path_factory.mktemp("source")
    for folder in HOMES:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns(*SKIPPED))
    for file in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / file, copy)
    command = [sys.executable, "-c", "import sys; from setuptools.build_meta import build_wheel; "
               "print(build_wheel(sys.argv[1]))", str(copy / "dist")]
    (copy / "dist").mkdir()
    built = subprocess.run(command, cwd=copy, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (path,) = (copy / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_the_wheel_has_every_module_and_every_asset_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == tree()


def test_nothing_but_the_products_name_lands_in_site_packages(wheel: zipfile.ZipFile) -> None:
    tops = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in tops if not name.endswith(".dist-info")} == {"prunescope"}


def test_the_wheel_brings_the_command(wheel: zipfile.ZipFile) -> None:
    (entries,) = [name for name in wheel.namelist() if name.endswith("entry_points.txt")]
    assert "prunescope = prunescope.app.cli:main" in wheel.read(entries).decode()


def test_every_package_is_listed() -> None:
    listed = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    packages = {
        ".".join(Path(home, path.parent.relative_to(ROOT / folder)).parts)
        for folder, home in HOMES.items()
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert listed == packages


def test_what_is_imported_is_what_is_required() -> None:
    """Every third-party package that the product imports is among its dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    # What an extra brings is imported where it is used, behind a message that names the extra.
    lines = [*project["dependencies"], *project["optional-dependencies"]["pdf"]]
    required = {line.split(">")[0].split("<")[0].split("=")[0].strip().lower() for line in lines}
    # Part of another requirement, which cannot come without it.
    part_of = {"flask": "dash", "werkzeug": "dash", "pil": "torchvision"}
    providers = metadata.packages_distributions()
    for folder in ("engine", "app"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                else:
                    continue
                for name in {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) - {"prunescope"}:
                    owner = part_of.get(name.lower()) or providers.get(name, [name])[0].lower()
                    assert owner in required, f"{path.relative_to(ROOT)} imports {name}"
