"""Fit, then test the best checkpoint: python train.py model=resnet18 optimizer=adam. More with --help.

Where fer_lightning is installed, the same command is fer-train, from any folder.
"""

from fer_lightning.commands.console import train

if __name__ == "__main__":
    train()
