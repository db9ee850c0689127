"""Where should federated training begin?"""

import os

# TensorFlow keeps a module's dicts in wrapt proxies, whose C version refuses the look-ups that
# typing_extensions makes since 4.6: saving a dict fails with "this __dict__ descriptor does not
# support '_DictWrapper' objects". wrapt's Python version works, if chosen before the import.
os.environ.setdefault("WRAPT_DISABLE_EXTENSIONS", "1")
