"""What a program needs around the mathematics: files, logs, checkpoints, devices, counts."""
