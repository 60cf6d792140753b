"""The controller: the only rooms that talk to a cluster. The doorbell rings, decide decides, the hands write."""
