"""``python -m rico_hdl``: the same as ``rico-hdl``."""

from rico_hdl.cli import main

if __name__ == "__main__":
    main()
