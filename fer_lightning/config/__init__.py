"""From conf/ to objects: composes, checks and builds what a config describes. Knows Hydra."""
