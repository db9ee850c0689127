"""What runs a TFF computation: on this process, on the native worker, or as a Beam job."""
