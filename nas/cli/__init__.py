"""The programs: `nas search`, `nas train` and the others, one module each. Nothing imports them."""
