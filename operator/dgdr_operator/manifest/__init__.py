"""Pure builders: a chosen estimate in, Kubernetes objects out; no client, no clock, no file in sight."""
