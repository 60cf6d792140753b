"""The command line: one module per verb, no cluster library anywhere below."""
