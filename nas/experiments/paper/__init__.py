"""The tables of the paper as data, and beside them what this project counts and measures."""
