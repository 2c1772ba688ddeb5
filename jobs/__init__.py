"""Command-line jobs: flags in, one library call, an exit code out."""
