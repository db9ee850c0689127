"""From a config as asked to the objects that train."""
