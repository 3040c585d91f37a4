"""Import closures and digests of code."""

import pytest

from finser.project.code import bare, closure, digest, modules

SOURCE = '''"""Module."""

import os  # why


def f(x):
    """Function."""
    # a comment
    return "# no comment" + x  # end
'''


@pytest.fixture
def package(tmp_path):
    """Four modules: a imports b, b imports the pure `errors` and c; d stands alone."""
    for name, text in {
        "a": "from finser.b import f\n",
        "b": "from finser import errors\nimport finser.c\n",
        "c": '"""C."""\nX = 1\n',
        "d": "",
        "errors": "from finser import d\n",
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


def test_a_closure_follows_imports_but_not_what_is_pure(package):
    assert closure("a", package=package) == ["a", "b", "c"]
    assert closure("a", leave_out=(), package=package) == ["a", "b", "c", "d", "errors"]


def test_comments_and_docstrings_do_not_change_a_digest(package):
    before = digest(["a", "c"], package)
    (package / "c.py").write_text('"""Other words."""\n\n# a comment\nX = 1\n')
    assert digest(["a", "c"], package) == before
    (package / "c.py").write_text("X = 2\n")
    assert digest(["a", "c"], package) != before


def test_bare_code_does_the_same():
    text = bare(SOURCE)
    assert "why" not in text and "Module" not in text and "Function" not in text and "# no comment" in text
    space = {}
    exec(text, space)  # noqa: S102
    assert space["f"]("!") == "# no comment!"


def test_every_module_of_finser_has_bare_code_that_compiles():
    for name, path in modules().items():
        compile(bare(path.read_text()) or "pass", name, "exec")
