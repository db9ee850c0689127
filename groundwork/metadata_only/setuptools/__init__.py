"""Stands in for setuptools while `pip download` looks at an sdist: see build_meta."""
