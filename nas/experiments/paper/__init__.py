"""The tables of the paper as data, next to what this project counts and measures."""
