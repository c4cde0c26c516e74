"""Measure a finished run, on its own test split or on other data: python test.py run_dir=outputs/train/…"""

import hydra
from omegaconf import DictConfig

from fer_lightning.config.command_line import launch


@hydra.main(version_base="1.3", config_path="conf", config_name="test")
def main(cfg: DictConfig) -> None:
    from fer_lightning.commands.test import test  # torch, only once there is something to test

    test(cfg)


if __name__ == "__main__":
    launch(main)
