"""One module for each published home of a data set."""
