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
    # fences in the middle of a line, and text behind a closing one
    ("<answer>```python\nx = 1\n```</answer>", "x = 1\n"),
    ("Solution: ```python\nx = 1\n```", "x = 1\n"),
    ("```python\nx = 1\n``` This is it.", "x = 1\n"),
    ("```python\nx = 1```", "x = 1"),
    ("It is ```x``` then.\n```python\ny = 2\n```", "y = 2\n"),
    ("```python\nprint('```')\n```", "print('```')\n"),
    # a closing fence whose opening one is in the prompt
    ("x = 1\n```", "x = 1\n"),
    ("x = 1\n```\nIt sets x.", "x = 1\n"),
    ("def f(x):\n    return x\n```\nUsage:\n```python\nprint(f(1))\n```", "def f(x):\n    return x\n"),
    ("The answer\n```\nx = 1\n```", "x = 1\n"),
    # a block that only uses what another one defines
    (
        "```python\ndef f(x):\n    return x\n```\nUse it:\n```python\nprint(f(1))\n```",
        "def f(x):\n    return x\n",
    ),
    (
        "```python\ndef g(x):\n    return 0\n```\nBetter:\n```python\ndef f(x):\n    return x\n```",
        "def f(x):\n    return x\n",
    ),
    # marks of the end of a turn, and characters that cannot be seen
    ("x = 1\n<|im_end|>", "x = 1\n"),
    ("x = 1\n<|im_end|>\n<|im_start|>user\nhello", "x = 1\n"),
    ("```python\nx = 1\n```<|eot_id|>", "x = 1\n"),
    ("x = 1</s>", "x = 1"),
    ("\u200b```python\nx = 1\n```", "x = 1\n"),
    ("\ufeffx = 1", "x = 1"),
    ("```python\nx\u200b = 1\n```", "x = 1\n"),
    ("```python\nx = '\u200b'\n```", "x = '\u200b'\n"),
    ("```python\nx = 1\n```python", "x = 1\n"),
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
