"""The command galaxy-batch, and the calls of notebooks: flags in, one library call."""
