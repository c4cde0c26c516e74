"""Fit, then test the best checkpoint: python train.py model=resnet18 optimizer=adam. More with --help."""

import hydra
from omegaconf import DictConfig

from fer_lightning.commands.first_checks import refuse_at_once
from fer_lightning.config.command_line import launch


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float:
    refuse_at_once(cfg)
    from fer_lightning.commands.train import train  # torch, only once there is something to train

    return train(cfg)


if __name__ == "__main__":
    launch(main)
