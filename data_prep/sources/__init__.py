"""Raw data sets as the world ships them, and the files of the user."""
