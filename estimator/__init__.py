"""Prices ways of serving a model and picks one; pure functions of numpy arrays that have never heard of Kubernetes."""
