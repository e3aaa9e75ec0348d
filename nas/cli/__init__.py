"""The programs: they read the command line, build the parts, hand them to each other and run."""
