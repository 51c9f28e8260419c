"""The pack's commands, one file each."""
