"""The runtime's side of a Python function. Read `loop` first."""
