"""Any folder of class folders is a dataset."""

import numpy as np
import pytest
from PIL import Image
from prunescope.engine.config import RunConfig, check_fits
from prunescope.engine.data import describe_dataset, load_dataset


def paint(path, value, mode="L", size=(6, 4)):
    """Write an image of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


@pytest.fixture
def grey_folder(tmp_path):
    """root/{class}/*: ten images of cats (dark) and of dogs (bright), in different sizes."""
    for number in range(10):
        paint(tmp_path / "cat" / f"{number}.png", number, size=(5 + number, 7))
        paint(tmp_path / "dog" / f"{number}.png", 200 + number)
    return tmp_path


@pytest.fixture
def split_folder(tmp_path):
    """root/{train,test}/{class}/*, in colour."""
    for part, count in (("train", 3), ("test", 2)):
        for name, colour in (("blue", (0, 0, 255)), ("red", (255, 0, 0))):
            for number in range(count):
                paint(tmp_path / part / name / f"{number}.png", colour, mode="RGB")
    return tmp_path


def test_a_folder_without_a_split_keeps_a_fifth_of_each_class_back(grey_folder):
    data = load_dataset("folder", data_dir=grey_folder)
    assert data.class_names == ("cat", "dog")
    assert data.train_x.shape == (16, 1, 32, 32)
    assert data.train_y.bincount().tolist() == [8, 8]
    assert data.val_y.bincount().tolist() == [2, 2]
    # Dark cats, bright dogs: labels and pictures belong together.
    assert ((data.train_x[:, 0, 0, 0] > 0).long() == data.train_y).all()
    assert ((data.val_x[:, 0, 0, 0] > 0).long() == data.val_y).all()


def test_the_split_of_a_folder_follows_the_seed(grey_folder):
    def kept_back(seed):
        values = load_dataset("folder", data_dir=grey_folder, seed=seed).val_x[:, 0, 0, 0]
        return tuple(values.tolist())

    assert kept_back(0) == kept_back(0)
    assert len({kept_back(seed) for seed in range(5)}) > 1


def test_a_folder_with_its_own_split_keeps_it(split_folder):
    data = load_dataset("folder", data_dir=split_folder, image_size=8)
    assert data.train_x.shape == (6, 3, 8, 8)
    assert data.val_x.shape == (4, 3, 8, 8)
    assert data.val_y.tolist() == [0, 0, 1, 1]
    # Blue has its third channel high, red its first; the unused green channel has no spread.
    assert (data.train_x[:3, 2] > 0).all()
    assert (data.train_x[3:, 0] > 0).all()
    assert (data.train_x[:, 1] == 0).all()


@pytest.mark.parametrize(("color", "channels"), [("auto", 1), ("grey", 1), ("rgb", 3)])
def test_grey_images_can_be_opened_in_colour(grey_folder, color, channels):
    assert load_dataset("folder", data_dir=grey_folder, color=color).input_shape == (channels, 32, 32)


def test_one_colour_image_makes_the_folder_colour_unless_grey_is_asked(grey_folder):
    paint(grey_folder / "dog" / "colourful.png", (255, 0, 0), mode="RGB")
    assert load_dataset("folder", data_dir=grey_folder).input_shape == (3, 32, 32)
    assert load_dataset("folder", data_dir=grey_folder, color="grey").input_shape == (1, 32, 32)


def test_sixteen_bit_images_keep_their_shades(tmp_path):
    for name, value in (("dark", 2 << 8), ("light", 200 << 8)):
        for number in range(2):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(np.full((4, 4), value, np.uint16)).save(tmp_path / name / f"{number}.png")
    data = load_dataset("folder", data_dir=tmp_path)
    # Two shades of equal number standardise to −1 and 1; clipped at 255 they would all be one.
    assert data.train_x.unique().numpy() == pytest.approx([-1, 1], abs=1e-5)


def test_transparent_palettes_open_without_a_warning(grey_folder):
    image = Image.new("P", (4, 4), 1)
    image.info["transparency"] = b"\x00\xff"
    image.save(grey_folder / "cat" / "palette.png", transparency=b"\x00\xff")
    assert load_dataset("folder", data_dir=grey_folder).input_shape == (3, 32, 32)


@pytest.mark.parametrize("suffix", [".jpg", ".bmp", ".gif", ".webp", ".PNG"])
def test_the_common_formats_are_read(tmp_path, suffix):
    for name in ("a", "b"):
        for number in range(2):
            paint(tmp_path / name / f"{number}{suffix}", 100)
    assert len(load_dataset("folder", data_dir=tmp_path).train_x) == 2


def test_other_files_and_hidden_folders_are_passed_over(grey_folder):
    (grey_folder / "cat" / "notes.txt").write_text("x")
    (grey_folder / "readme.md").write_text("x")
    paint(grey_folder / ".thumbnails" / "0.png", 1)
    data = load_dataset("folder", data_dir=grey_folder)
    assert data.class_names == ("cat", "dog")
    assert len(data.train_x) + len(data.val_x) == 20


def test_a_file_that_is_no_image_is_named(grey_folder):
    (grey_folder / "dog" / "broken.png").write_bytes(b"not an image")
    with pytest.raises(ValueError, match=r"broken\.png' is no readable image"):
        load_dataset("folder", data_dir=grey_folder)


def test_half_an_image_is_named(grey_folder):
    whole = (grey_folder / "dog" / "0.png").read_bytes()
    (grey_folder / "dog" / "half.png").write_bytes(whole[: len(whole) // 2 + 10])
    with pytest.raises(ValueError, match=r"half\.png'"):
        load_dataset("folder", data_dir=grey_folder)


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ([], "has 0 class folders"),
        (["only/0.png"], "has 1 class folders"),
        (["a/0.png", "b/0.png", "b/1.png"], "'a' has one image"),
        (["train/a/0.png", "train/b/0.png"], "has train but none of val"),
        (["train/a/0.png", "train/b/0.png", "val/c/0.png", "val/a/0.png"], "classes that train lacks: c"),
        (["a/0.png", "b/0.txt"], "b' has no images"),
    ],
)
def test_a_folder_that_does_not_fit_says_what_is_missing(tmp_path, images, said):
    for name in images:
        path = tmp_path / name
        if path.suffix == ".png":
            paint(path, 1)
        else:
            path.parent.mkdir(parents=True)
            path.write_text("x")
    with pytest.raises(ValueError, match=said):
        load_dataset("folder", data_dir=tmp_path)


def test_a_class_without_validation_images_is_allowed(split_folder):
    for path in (split_folder / "test" / "red").iterdir():
        path.unlink()
    (split_folder / "test" / "red").rmdir()
    assert load_dataset("folder", data_dir=split_folder).val_y.tolist() == [0, 0]


def test_a_folder_is_described_and_checked_without_opening_an_image(split_folder):
    config = RunConfig(dataset="folder", data_dir=str(split_folder), model="conv2", image_size=16)
    (split_folder / "train" / "red" / "0.png").write_bytes(b"never opened")
    assert describe_dataset(config) == ((3, 16, 16), 2)
    check_fits(config)


def test_progress_counts_the_images(grey_folder):
    seen = []
    load_dataset("folder", data_dir=grey_folder, progress=lambda *step: seen.append(step))
    assert seen[15] == ("training images", 16, 16)
    assert seen[-1] == ("validation images", 4, 4)
