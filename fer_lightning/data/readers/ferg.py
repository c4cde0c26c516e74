"""FERG (Aneja et al., ACCV 2016): six drawn characters, in the folders `<character>/<character>_<emotion>/`."""

from pathlib import Path

from fer_lightning.data.emotions import folder_class, is_emotion
from fer_lightning.data.readers.entries import files_below, subfolders
from fer_lightning.data.readers.image_list import ImageList
from fer_lightning.data.readers.listing import Listing
from fer_lightning.data.readers.set_files import is_image_name


def is_ferg(root: Path) -> bool:
    """Checks that most folders have folders in them with the same name and an emotion's behind it."""
    if not root.is_dir():
        return False
    characters = subfolders(root)
    fitting = [any(is_emotion(_emotion(folder, outer)) for folder in subfolders(outer)) for outer in characters]
    return 2 * sum(fitting) > len(fitting)


def list_ferg(root: Path) -> ImageList:
    """Lists the images by their folders, with the characters as persons."""
    listing = Listing(root, "FERG", ("all",))
    ignored: list[str] = []
    for path in files_below(root):
        character, *folders, _ = path.split("/")
        emotion = _emotion(Path(folders[0]), Path(character)) if folders else ""
        if not is_image_name(path):
            continue
        if is_emotion(emotion):
            listing.add("all", emotion, path, character)
        else:
            ignored.append(path)
    return listing.completed("this folder", ignored, "images in a folder <character>_<emotion>")


def _emotion(folder: Path, character: Path) -> str:
    """Returns the emotion in a folder's name, "aia_anger", behind the character's; "" if there is none."""
    start = f"{character.name.lower()}_"
    return folder_class(folder.name[len(start) :]) if folder.name.lower().startswith(start) else ""
