"""What the commands share: flags, settings of the process, versions of packages."""
