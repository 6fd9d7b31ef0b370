"""Finding the program in a completion: fences, code tags, the thinking part."""

import pytest

from markscheme.verifiers.programs.find_code import extract_program

PROGRAMS = [
    # completion, its program (None: there is none)
    ("```python\nx = 1\n```", "x = 1\n"),
    ("a\n```py\nold\n```\nb\n```python\nnew\n```\nc", "new\n"),
    ("```\nx\n```", "x\n"),
    ("```python\nx\n```\nIt prints\n```\n5\n```", "x\n"),
    ("```python\nx\n```\n```text\n5\n```", "x\n"),
    ("<code>x = 1</code>", "x = 1"),
    ("<code>old</code> no, <code>new</code>", "new"),
    ("<think>```python\nold\n```</think>```python\nnew\n```", "new\n"),
    ("<think>```python\nold\n```</think>nothing", "nothing"),
    ("x = 1", "x = 1"),
    ("````python\ns = '```'\n````", "s = '```'\n"),
    ("~~~python\nx\n~~~", "x\n"),
    ("1. So:\n   ```python\n   if x:\n       y\n   ```", "if x:\n    y\n"),
    ("```python\nx = 1", "x = 1"),
    ("```bash\npip install x\n```\n```python\ny\n```", "y\n"),
    ("```python\ny\n```\n```bash\npython y.py\n```", "y\n"),
    ("", None),
    ("   \n", None),
    ("<think>```python\nx\n```", None),
    ("```python\n```", None),
]


@pytest.mark.parametrize(("text", "code"), PROGRAMS)
def test_the_program_is_found(text: str, code: str | None) -> None:
    found = extract_program(text)
    if code is None:
        assert found.reason in ("no_answer", "empty")
    else:
        assert (found.text, found.reason) == (code, None)
