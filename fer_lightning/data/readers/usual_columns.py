"""What people usually call the columns of a table of images."""

import re
from collections.abc import Mapping

_OF_FILES = ("path", "pth", "file", "filename", "filepath", "name")

USUAL: Mapping[str, tuple[str, ...]] = {
    "image": (
        *("image", "images", "img", "pic", "picture", "photo", "face"),
        *(f"{thing}{what}" for thing in ("image", "img", "face", "picture") for what in (*_OF_FILES, "id")),
        *_OF_FILES,
        *("subdirectoryfilepath", "relativepath", "relpath"),
    ),
    "label": ("label", "labels", "emotion", "emotions", "expression", "expressions", "class", "classname", "target")
    + ("category", "emotionlabel", "labelname", "classlabel"),
    "split": ("split", "part", "usage", "set", "subset", "partition", "dataset"),
    "person": ("person", "persons", "personid", "subject", "subjectid", "user", "userid", "identity", "identityid")
    + ("actor", "actorid", "participant", "participantid", "speaker", "speakerid"),
}
"""Usual names of columns in small letters, without blanks and the like, the most telling first."""


def plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())
