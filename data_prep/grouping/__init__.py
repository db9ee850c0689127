"""The shuffle by client as a Beam job."""
