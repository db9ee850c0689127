"""A client update and a server optimizer, composed into a TFF learning process."""
