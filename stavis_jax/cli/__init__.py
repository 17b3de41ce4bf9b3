"""What the commands share: flags and settings of the process."""
