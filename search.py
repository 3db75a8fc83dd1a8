"""The door: ``python search.py`` searches, compares and ranks hybrid Swin networks.

Also installed as the console script ``hybrid-swin``. Everything lives in the package ``search``.
"""

from search.cli.door import main

if __name__ == "__main__":
    raise SystemExit(main())
