"""From a configuration to trained and scored networks."""
