"""Who is told of a run while it goes: trackers such as MLflow, and functions of one's own."""
