"""One small file a command; its docstring is the help."""
