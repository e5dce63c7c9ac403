import subprocess
import sys


def test_the_package_loads_numpy_and_nothing_heavy():
    """The dashboard imports this before its first answer."""
    script = "import prunescope.engine.geometry, sys; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "scipy", "sklearn", "networkx", "dash", "plotly", "diskcache"} & set(loaded)
