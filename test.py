"""Measure a finished run, on its own test split or on other data: python test.py run_dir=outputs/train/…

Where fer_lightning is installed, the same command is fer-test, from any folder.
"""

from fer_lightning.commands.console import test

if __name__ == "__main__":
    test()
