"""Train, compare and understand facial-emotion classifiers."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
else:

    def __getattr__(name: str) -> str:
        """Reads `__version__` once it is asked for: most commands need none, and importing this stays cheap."""
        if name != "__version__":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from fer_lightning.installation import package_version

        return package_version()
