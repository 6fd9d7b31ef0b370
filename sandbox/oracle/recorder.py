"""`Recorder`: writing down the outcome of each test."""

import json
from typing import Any

from ..wire.records import DONE, TESTED, Records, describe
from .instrument import Comparisons
from .tests_side import Program, ProgramEndedError


class Recorder:
    """A writer of one record per test, and of a last record that says that all tests have been run.

    Args:
        records: the file to write to.
        program: the program, if it has a process of its own; None if the tests share its process.
        comparisons: what the tests compare, if they have been rewritten to count that.
    """

    def __init__(self, records: Records, program: Program | None, comparisons: Comparisons | None = None):
        self.records, self._program, self._comparisons = records, program, comparisons
        self._compared: int | None = None  # the number of comparisons before the running test

    def begin(self, place: int, *, must_compare: bool = False) -> None:
        """Note that a test begins: its limits count from now on.

        Args:
            place: the test's place among the tests, or the assert's among the asserts.
            must_compare: whether the test compares something, so that it has not passed if it did not do so.
        """
        self.records.begin(place)
        if self._program is not None:
            self._program.begin_test()
        counted = must_compare and self._comparisons is not None
        self._compared = self._comparisons.count if counted and self._comparisons is not None else None

    def add(
        self, name: str, error: BaseException | str | None, place: int | None = None, *, counts: bool = True
    ) -> None:
        """Write how a test ended.

        Args:
            name: the test's name.
            error: why it failed; None if it passed.
            place: the test's place, as for `begin`; None for what is not a test, such as a class's set-up.
            counts: whether the test says something about the program; one that is always skipped does not.

        Raises:
            ProgramEndedError: the program has ended, and the test has caught the error. The test gets no
                record, and counts as one that was not run.
        """
        self._check_program()
        refused = self._program.refused if self._program is not None else ""
        error = error or refused or None  # a test that has caught a refusal has failed all the same
        if error is None and self._comparisons is not None and self._comparisons.count == self._compared:
            error = "the test has compared nothing"
        record: dict[str, Any] = {"test": name, "passed": error is None if counts else None, "place": place}
        if error is not None:
            record["error"] = (error if isinstance(error, str) else describe(error))[:2000]
        self.records.write(TESTED, json.dumps(record).encode())

    def finish(self) -> None:
        """Write that every test has been run.

        Raises:
            ProgramEndedError: the program has ended before that.
        """
        self._check_program()
        self.records.write(DONE)

    def _check_program(self) -> None:
        if self._program is not None and self._program.ended:
            raise ProgramEndedError
