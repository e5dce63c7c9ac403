"""The settings of a run, group by group, each default with its reason: shell, environment and form read them here."""

from dataclasses import dataclass

from prunescope.engine.data.catalog import CORRUPTIONS, DATASET_PATTERNS, DATASETS
from prunescope.engine.fields import setting
from prunescope.engine.models.catalog import MODEL_PATTERNS, MODELS

OPTIMIZERS = ("sgd", "adam", "adamw")
SCHEDULES = ("constant", "step", "cosine")
INITS = (
    "default",
    "glorot-normal",
    "glorot-uniform",
    "kaiming-normal",
    "kaiming-uniform",
    "orthogonal",
    "normal",
)
LOSSES = ("auto", "cross-entropy", "margin")


@dataclass(frozen=True, kw_only=True)
class ListSettings:
    """How the run is told from others."""

    name: str = setting(
        "", label="Name", kind="str", group="run", help="shown in the list of runs; empty: dataset and model"
    )


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """What is learned."""

    # Digits come with scikit-learn: the one dataset that needs no network.
    dataset: str = setting(
        "digits",
        label="Dataset",
        kind="choice",
        group="data",
        basic=True,
        choices=tuple(DATASETS),
        patterns=DATASET_PATTERNS,
        help="what to learn",
    )
    data_dir: str | None = setting(
        None,
        label="Data folder",
        kind="str",
        group="data",
        optional=True,
        help="where downloads are kept, or the folder of class folders; empty: the user's cache folder",
    )
    # A page that trains without being asked to download 170 MB would be worse than a second flag.
    download: bool = setting(
        True, label="Download", kind="bool", group="data", help="fetch the dataset if it is not there"
    )
    image_size: int = setting(
        0,
        label="Image size",
        kind="int",
        group="data",
        minimum=0,
        maximum=512,
        help="resize images to this height and width; 0: as they are (a folder: 32)",
    )
    color: str = setting(
        "auto",
        label="Colour",
        kind="choice",
        group="data",
        choices=("auto", "grey", "rgb"),
        help="of a folder's images; auto: grey only if all are",
    )
    train_examples: int = setting(
        0,
        label="Training examples",
        kind="int",
        group="data",
        minimum=0,
        maximum=10_000_000,
        help="train on a fixed random subset of this size; 0: all",
    )
    # Four pairs are the fewest that can hold all four patterns; eight leave room for repeats.
    pairs: int = setting(
        8,
        label="Pairs",
        kind="int",
        group="data",
        minimum=4,
        maximum=1000,
        help="XORD only: pairs in an input",
    )
    label_noise: float = setting(
        0.0,
        label="Label noise",
        kind="float",
        group="data",
        minimum=0.0,
        maximum=1.0,
        help="fraction of training labels drawn anew, uniformly over all classes; 1: random labels",
    )
    corruption: str = setting(
        "none",
        label="Corruption",
        kind="choice",
        group="data",
        choices=tuple(CORRUPTIONS),
        help="input corruptions of Zhang et al. 2016",
    )


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """What learns, and from where it starts."""

    # The smallest net in which alignment can be watched.
    model: str = setting(
        "channels",
        label="Model",
        kind="choice",
        group="model",
        basic=True,
        choices=tuple(MODELS),
        patterns=MODEL_PATTERNS,
        help="the network",
    )
    width: float = setting(
        1.0,
        label="Width",
        kind="float",
        group="model",
        minimum=1 / 64,
        maximum=64.0,
        help="multiplies the width of every hidden layer",
    )
    hidden: tuple[int, ...] = setting(
        (),
        label="Hidden units",
        kind="list",
        item="int",
        group="model",
        minimum=1,
        maximum=100_000,
        help="mlp's layers, the filters of channels, xord-net's neurons a side; empty: the model's own",
    )
    init: str = setting(
        "default",
        label="Init",
        kind="choice",
        group="model",
        choices=INITS,
        help="default: the framework's own; all others start with zero biases",
    )
    # 1 is what the literature trains from; alignment shows at 0.1 (59° → 45° on digits, against 57° at 1).
    init_scale: float = setting(
        1.0,
        label="Init scale",
        kind="float",
        group="model",
        basic=True,
        minimum=1e-9,
        maximum=100.0,
        help="multiplies the initial weights and biases; small: units align as they grow",
    )
    seed: int = setting(
        0,
        label="Seed",
        kind="int",
        group="model",
        minimum=0,
        maximum=2**31 - 1,
        help="of the init, the data order and the label noise: same seed, same weights",
    )


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How it learns."""

    # Fifteen epochs bring the default run's alignment to where the acceptance checks measure it.
    epochs: int = setting(
        15,
        label="Epochs",
        kind="int",
        group="training",
        basic=True,
        minimum=1,
        maximum=100_000,
        help="passes over the training data",
    )
    # 64: 22 steps an epoch on digits, so that one epoch differs visibly from the next.
    batch_size: int = setting(
        64,
        label="Batch size",
        kind="int",
        group="training",
        minimum=0,
        maximum=1_000_000,
        help="examples a step; 0: all of them (gradient descent)",
    )
    # Adam at 1e-3 (Kingma & Ba 2015) trains every model here without tuning.
    optimizer: str = setting(
        "adam",
        label="Optimiser",
        kind="choice",
        group="training",
        choices=OPTIMIZERS,
        help="sgd uses the momentum below; adamw decouples weight decay",
    )
    lr: float = setting(
        1e-3,
        label="Learning rate",
        kind="float",
        group="training",
        basic=True,
        minimum=1e-8,
        maximum=1000.0,
        help="at its peak; sgd wants about 0.1, adam about 0.001",
    )
    # Frankle & Carbin and He et al. train with 0.9.
    momentum: float = setting(
        0.9,
        label="Momentum",
        kind="float",
        group="training",
        minimum=0.0,
        maximum=0.9999,
        help="sgd only; 0: plain gradient descent",
    )
    # Zero: decay shrinks the very norms that the dashboard shows.
    weight_decay: float = setting(
        0.0,
        label="Weight decay",
        kind="float",
        group="training",
        minimum=0.0,
        maximum=10.0,
        help="adam and sgd add it to the gradient; adamw decouples it",
    )
    schedule: str = setting(
        "constant",
        label="Schedule",
        kind="choice",
        group="training",
        choices=SCHEDULES,
        help="of the learning rate",
    )
    warmup_epochs: float = setting(
        0.0,
        label="Warm-up epochs",
        kind="float",
        group="training",
        minimum=0.0,
        maximum=100_000.0,
        help="the learning rate rises linearly over these",
    )
    step_epochs: tuple[int, ...] = setting(
        (),
        label="Step epochs",
        kind="list",
        item="int",
        group="training",
        minimum=1,
        maximum=100_000,
        help="schedule step: after these epochs the rate falls; empty: at ½ and ¾ of the training",
    )
    # He et al. 2016 and Frankle & Carbin 2018: .1, .01, .001.
    step_gamma: float = setting(
        0.1,
        label="Step factor",
        kind="float",
        group="training",
        minimum=1e-6,
        maximum=1.0,
        help="schedule step: the factor of each fall",
    )
    loss: str = setting(
        "auto",
        label="Loss",
        kind="choice",
        group="training",
        choices=LOSSES,
        help="margin: XORD's hinge loss for two classes; auto: margin for xord-net, else cross-entropy",
    )
    # The γ of the XORD experiments.
    margin: float = setting(
        8.0,
        label="Margin",
        kind="float",
        group="training",
        minimum=0.0,
        maximum=1e6,
        help="loss margin: what the output for a positive example must reach",
    )
    min_epoch_seconds: float = setting(
        0.0,
        label="Seconds an epoch",
        kind="float",
        group="training",
        minimum=0.0,
        maximum=3600.0,
        help="slows training so that a lecture can follow; 0: full speed",
    )
    device: str = setting(
        "auto",
        label="Device",
        kind="choice",
        group="training",
        choices=("auto", "cpu", "cuda", "mps"),
        help="auto: cuda if there is one, else cpu",
    )
    threads: int = setting(
        0,
        label="Threads",
        kind="int",
        group="training",
        minimum=0,
        maximum=1024,
        help="CPU threads of the training; 0: the framework's choice. Another number rounds differently",
    )


@dataclass(frozen=True, kw_only=True)
class RecordingSettings:
    """What is kept of it."""

    early_snapshots: int = setting(
        0,
        label="Early snapshots",
        kind="int",
        group="recording",
        minimum=0,
        maximum=1000,
        help="extra log-spaced snapshots inside the first epochs: alignment happens early",
    )
    snapshot_every: int = setting(
        1,
        label="Snapshot every",
        kind="int",
        group="recording",
        minimum=1,
        maximum=100_000,
        help="epochs between snapshots; the first and the last are always kept",
    )
    layers: tuple[str, ...] = setting(
        ("*",),
        label="Layers",
        kind="list",
        group="recording",
        help='names or patterns of the layers to record, such as "conv*"; *: all',
    )
    # float16 halves the space and turns angles by at most .007°; exact weights are the better default.
    record_dtype: str = setting(
        "float32",
        label="Record as",
        kind="choice",
        group="recording",
        choices=("float32", "float16"),
        help="float16 with a scale per unit: half the space, angles within .007°",
    )
    # Every epoch: what a kill costs is then one epoch of computing.
    checkpoint_every: int = setting(
        1,
        label="Checkpoint every",
        kind="int",
        group="recording",
        minimum=1,
        maximum=100_000,
        help="epochs between the checkpoints from which a stopped run resumes",
    )
    durable: bool = setting(
        False,
        label="Durable",
        kind="bool",
        group="recording",
        help="survive a power cut at every epoch, not only at checkpoints; slower",
    )
