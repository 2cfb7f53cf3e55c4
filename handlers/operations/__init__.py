"""The operator's commands as use cases, each under the command's name."""
