"""Centre groups' effects as far as their data say."""
