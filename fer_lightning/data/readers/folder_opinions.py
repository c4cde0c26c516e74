"""The folders' opinion on images whose classes a table says: to be compared with the table's, see `ImageList`."""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath

from fer_lightning.data.emotions import canonical, folder_class, is_emotion, is_number


def folder_opinions(paths: Sequence[str], classes: Sequence[str]) -> tuple[str, ...]:
    """Returns the class that each image's folder names, "" where it names none; () if few folders are classes.

    Args:
        paths: of the images, with /.
        classes: of the images, by the table. Where these are words and folders are numbers, as many as there are words,
            a number stands for the class that most of its images have.
    """
    known = {*classes}
    opinions = [_opinion(path, known) for path in paths]
    numbers = {opinion for opinion in opinions if is_number(opinion)} - known
    if numbers:
        pairs = Counter(zip(opinions, classes, strict=True))
        most = {number: word for (number, word), _ in reversed(pairs.most_common()) if number in numbers}
        if {*most.values()} != known or len(most) != len(known):  # persons, perhaps
            most = dict.fromkeys(numbers, "")
        opinions = [most.get(opinion, opinion) for opinion in opinions]
    return tuple(opinions) if sum(map(bool, opinions)) * 2 > len(paths) else ()


def _opinion(path: str, classes: Collection[str]) -> str:
    for folder in PurePosixPath(path).parent.parts[::-1]:
        if canonical(folder) in classes:
            return canonical(folder)
        if is_emotion(name := folder_class(folder)) or (is_number(name) and not any(map(is_number, classes))):
            return name
    return ""
