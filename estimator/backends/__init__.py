"""Facts and scheduling rules per engine, one file each, unaware of each other."""
