"""Settings with a name, to start from: on the shell as a preset, in the form as a button."""

from prunescope.engine.config import RunConfig

# Small init, so that filters align beyond chance (59° → 46°); two steps an epoch, so that it takes some
# forty epochs to form; 0.6 s each, so that a minute and a half of it can be followed with the eyes. On one
# thread, because two wait for each other whenever anything else uses a core: beside the page, the server and
# the evaluator's start an epoch then took 0.8 s instead of 0.2 s, and the page seemed to stop.
DEMO = RunConfig(
    name="demo",
    dataset="digits",
    model="channels",
    init_scale=0.1,
    optimizer="adam",
    lr=1e-3,
    batch_size=700,
    epochs=150,
    min_epoch_seconds=0.6,
    threads=1,
)

# Brutzkus & Globerson's setting at k = 120: gradient descent with η = c_η/k and σ = c_η/(16 k^1.5) at
# c_η = 1/50. Seeds 0 to 2 reach zero loss after 448 to 486 steps.
_XORD_K = 120
XORD = RunConfig(
    name="xord",
    dataset="xord",
    model="xord-net",
    hidden=(_XORD_K,),
    init="normal",
    init_scale=0.02 / (16 * _XORD_K**1.5),
    optimizer="sgd",
    momentum=0.0,
    lr=0.02 / _XORD_K,
    batch_size=0,
    epochs=600,
    snapshot_every=2,
)

PRESETS = {"demo": DEMO, "xord": XORD}
