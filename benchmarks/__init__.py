"""What tactful costs, measured: `make bench`."""
