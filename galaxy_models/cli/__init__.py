"""The command galaxy-batch: flags in, one library call, an exit code out."""
