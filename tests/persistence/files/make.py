"""Write one small file of each kind in the current format.

Run ``python -m tests.persistence.files.make`` from the repository's root, with the version whose
format is to be preserved. Both files use the bundled backbones, whose weights they do not contain.
"""

from pathlib import Path

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sktransfer import ImageEmbedder, TextClassifier, __version__, save
from tests._tiny import images, texts

FOLDER = Path(__file__).parent / ".".join(__version__.split(".")[:2])


def main() -> None:
    """Write an embedder with a linear model, and a Pipeline with a head trained on 6 texts."""
    FOLDER.mkdir(exist_ok=True)
    sides = [0, 1] * 3
    image_model = make_pipeline(ImageEmbedder(cache=False), LogisticRegression(C=0.1))
    text_model = make_pipeline(TextClassifier(max_epochs=2, random_state=0, cache=False))
    save(image_model.fit(list(images(6)), sides), FOLDER / "image_embedder.skt")
    save(text_model.fit(texts(6), ["even", "odd"] * 3), FOLDER / "text_classifier.skt")


if __name__ == "__main__":
    main()
