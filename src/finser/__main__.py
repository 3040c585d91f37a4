"""``python -m finser``: the same as the command ``finser``."""

from finser.cli import main

if __name__ == "__main__":
    main()
