"""One file a library: it builds that library's DIEN and one training step, in its own process."""
