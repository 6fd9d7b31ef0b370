"""`Recorder`: writing down the outcome of each test."""

from typing import Any

from ..wire.records import Records, describe
from .tests_side import Program, ProgramEndedError


class Recorder:
    """A writer of one record per test, and of a last record that says that all tests have been run.

    Args:
        records: the file to write to.
        program: the program, if it has a process of its own; None if the tests share its process.
    """

    def __init__(self, records: Records, program: Program | None):
        self.records, self._program = records, program

    def begin(self, place: int) -> None:
        """Note that a test begins: its limits count from now on."""
        self.records.begin(place)
        if self._program is not None:
            self._program.refused = ""

    def add(self, name: str, error: BaseException | str | None, place: int | None = None) -> None:
        """Write how a test ended.

        Args:
            name: the test's name.
            error: why it failed; None if it passed.
            place: if the test is an assert, its place among the asserts.

        Raises:
            ProgramEndedError: the program has ended, and the test has caught the error. The test gets no
                record, and counts as one that was not run.
        """
        self._check_program()
        refused = self._program.refused if self._program is not None else ""
        error = error or refused or None  # a test that has caught a refusal has failed all the same
        record: dict[str, Any] = {"test": name, "passed": error is None}
        if place is not None:
            record["case"] = place
        if error is not None:
            record["error"] = (error if isinstance(error, str) else describe(error))[:2000]
        self.records.write(record)

    def finish(self) -> None:
        """Write that every test has been run.

        Raises:
            ProgramEndedError: the program has ended before that.
        """
        self._check_program()
        self.records.write({"done": True})

    def _check_program(self) -> None:
        if self._program is not None and self._program.ended:
            raise ProgramEndedError
