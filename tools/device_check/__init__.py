"""A folder that shows on a bare machine what --executor=pjrt does on its device."""
