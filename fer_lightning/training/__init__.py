"""The LightningModule, and what it is trained with: losses, optimizers, schedules, metrics."""
