"""What a command imports before it begins is what it needs."""

import subprocess
import sys

from tests.scripts import REPOSITORY


def test_lightning_comes_without_scipy_signal_but_leaves_it() -> None:
    script = (
        "import sys; from fer_lightning.commands.quick_imports import import_torchmetrics; import_torchmetrics();"
        "import lightning; from torchmetrics.classification import MulticlassAccuracy;"
        "assert 'scipy.signal' not in sys.modules and 'scipy.stats' not in sys.modules;"
        "import scipy.signal; assert len(scipy.signal.butter(2, 0.5)[0]) == 3"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
