"""Trained networks at work: on photographs, folders, videos and a webcam. Knows neither Lightning nor Hydra."""
