"""What the targets of the Makefile run: none of it is installed."""
