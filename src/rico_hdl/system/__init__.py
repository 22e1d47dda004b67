"""The operating system: processors, memory, signals, sorting in little memory."""
