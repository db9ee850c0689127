"""Charts as data, each drawn for the page as plain SVG and for papers by Matplotlib."""
