"""Who follows a run while it goes: trackers such as MLflow, and functions of the user's."""
