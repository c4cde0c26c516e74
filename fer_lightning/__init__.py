"""Train, compare, understand and use facial-emotion classifiers."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fer_lightning.use.predictor import Predictor as Predictor

    __version__: str
else:

    def __getattr__(name: str) -> Any:
        """Finds `__version__` and `Predictor` once they are asked for: most commands need neither."""
        if name == "__version__":
            from fer_lightning.installation import package_version

            return package_version()
        if name == "Predictor":
            from fer_lightning.use.predictor import Predictor

            return Predictor
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
