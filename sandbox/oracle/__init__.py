"""Running tests in a process of their own, beside the program's and out of its reach.

`run_tests.py` is the entry. In the tests' process, `stand_ins.py` represents the program's objects, and
`tests_side.py` passes on what tests do with them; in the program's process, `program_side.py` does it.
"""
