"""Behaviour without PyTorch."""

from tests.support.running import python


def run(code):
    """Run code that can't import torch, whether it is installed or not."""
    hidden = "import sys; sys.modules['torch'] = None\n"
    return python("-W", "error", "-c", hidden + code)


def test_missing_torch_is_explained():
    """Without PyTorch, importing rico_hdl.torch is an ImportError that says how to install it."""
    done = run("try: import rico_hdl.torch\nexcept ImportError as error: print(error)")
    assert done.returncode == 0, done.stderr
    assert "needs PyTorch, which is not installed" in done.stdout
    assert "rico-hdl[torch]" in done.stdout


def test_the_rest_works_without_torch():
    """Stores, labels and splits work without PyTorch."""
    done = run(
        "import rico_hdl, rico_hdl.labels; rico_hdl.Store; print(rico_hdl.labels.CLASSES[0])"
    )
    assert done.stdout == "Agro-forestry areas\n", done.stderr
