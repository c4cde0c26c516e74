"""Classes that conf/callbacks and conf/logger name: checkpoints, progress, stop signals, pictures."""
