"""On the path of a `pip download`, so that no setup.py is run: see setuptools/build_meta.py."""
