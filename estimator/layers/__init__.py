"""From a worker's shape to the operations of one iteration, one file per kind of layer."""
