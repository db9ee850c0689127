"""Client work in this process, on the devices asked for."""
