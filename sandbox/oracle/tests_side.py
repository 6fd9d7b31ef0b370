"""The tests' side of a program in another process: calls go out, plain data and stand-ins come back.

`program_side.py` has the other side, and explains the messages.
"""

import builtins
import sys
from types import TracebackType
from typing import Any

from ..wire.codec import array_of, containers, pack, unpack
from ..wire.dialogue import Link, Message
from .lent_objects import NEVER_LENT, special_methods_of, use_lent
from .program_classes import ProgramClasses
from .program_side import is_builtin, is_harmless_builtin, nearest_builtin
from .readings import READS, Originals, Readings, is_plain
from .stand_ins import RefusedError, StandIn, StandInClass, restore


class ProgramEndedError(BaseException):
    """The program's process has ended. Not an Exception, so that no test catches it and goes on."""


class Program:
    """The program that tests use, with the operations that stand-ins need.

    Args:
        descriptor: socket to the program's process.
        with_arrays: whether numpy arrays arrive as arrays; else as lists.
    """

    def __init__(self, descriptor: int, *, with_arrays: bool = False):
        self._with_arrays = with_arrays
        self._read = Readings()
        self._link = Link(descriptor, self._serve)
        self._classes = ProgramClasses(self)
        self._objects: dict[int, Any] = {}
        self._lent: list[Any] = []
        self._lent_numbers: dict[int, int] = {}  # by the object's id()
        self.originals = Originals()
        self.turns = 0  # how many times the program has been asked something
        self.ended = False
        self.refused = ""  # the message of the last refusal; `Recorder.begin` clears it for each test

    def begin_test(self) -> None:
        """Forget what belongs to the test before."""
        self.refused = ""
        self.originals.forget()

    def names(self) -> tuple[dict[str, Any], tuple[str, str] | None]:
        """Return what the program defines, by name: plain values as they are, everything else as stand-ins.

        If it could not be defined, return no names, and what failed (a value of a record's `failed`) with the
        error's text.
        """
        answer = self._ask({"do": "names"})
        value, failed = answer.get("value"), answer.get("failed")
        if isinstance(failed, list) and len(failed) == 2:
            return {}, (str(failed[0]), str(failed[1]))
        if not isinstance(value, dict):
            raise ProgramEndedError
        # Names with two underscores mean something to Python, as __path__ does to its imports.
        names = {n: self.unpack(p) for n, p in value.items() if n.isidentifier() and not n.startswith("__")}
        classes = {name: kind for name, kind in names.items() if isinstance(kind, StandInClass)}
        # A class with a function's name is used as a function: its objects are answers, which must not be
        # shown what the tests expect.
        answers = [kind for name, kind in classes.items() if not _is_class_name(name)]
        for name, kind in classes.items():
            if _is_class_name(name) and kind not in answers:
                kind._markscheme_trusted = True
        return names, None

    def call(
        self,
        handle: int,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        special: str = "",
        once: bool = False,
    ) -> Any:
        """Call one of the program's objects; lists, dicts and sets that it changes are changed here too.

        With `once`, a special method that only reads is not called again until the program has run otherwise.
        """
        own_args, own_kwargs = list(args), dict(kwargs)
        is_reading = once and special in READS and not kwargs and is_plain(args)
        reading = (handle, special, repr(args)) if is_reading else None
        if reading in self._read.values:
            return self._read.values[reading]
        if reading is None:
            self._read.forget()
        # Both sides number the containers alike, so that the program can return one of ours by its number.
        ours = containers([own_args, list(own_kwargs.values())])[2:]
        packed = {"args": self.pack(own_args), "kwargs": self.pack(own_kwargs)}
        question: Message = {"do": "call", "on": handle, **packed}
        if special:
            question["special"] = special
        answer = self._ask(question)
        value = answer.get("value")
        returned = None if "raised" in answer or value == {"N": []} else self._returned(value, ours)
        for key, mine in (("args", own_args), ("kwargs", own_kwargs)):
            if key in answer:
                self.originals.keep(ours, weak=returned is None)
                restore(mine, self.unpack(answer[key]))
        self._raise(answer, stops=special in ("__next__", "__anext__"))
        if value == {"N": []}:
            return NotImplemented
        if reading is not None:
            self._read.values[reading] = returned
        return returned

    def _returned(self, value: Any, ours: list[Any]) -> Any:
        """Return what a call has returned: values of the program, or containers that it was given."""
        return unpack(value, lambda packed: ours[packed["a"]] if "a" in packed else self._known(packed))

    def get(self, handle: int, name: str, once: bool = False) -> Any:
        """Return an object's attribute; `once`: plain data is read only once until the program runs again."""
        if not once:
            return self._do({"do": "get", "on": handle, "name": name})
        reading = (handle, name)
        if reading not in self._read.values:
            value = self._do({"do": "get", "on": handle, "name": name})
            if not is_plain(value):
                return value
            self._read.values[reading] = value
        return self._read.values[reading]

    def set(self, handle: int, name: str, value: Any) -> None:
        """Set an object's attribute."""
        self._read.forget()
        self._do({"do": "set", "on": handle, "name": name, "value": self.pack(value)})

    def delete(self, handle: int, name: str) -> None:
        """Delete an object's attribute."""
        self._read.forget()
        self._do({"do": "delete", "on": handle, "name": name})

    def data(self, handle: int) -> Any:
        """Return the plain data of an object whose class is derived from a built-in one."""
        if handle in self._read.data:
            return self._read.data[handle]
        answer = self._ask({"do": "data", "on": handle})
        self._raise(answer)
        return self._read.keep(handle, unpack(answer.get("value")))

    def finish(self, handle: int) -> Any:
        """Run one of the program's coroutines to its end, and return its result."""
        self._read.forget()
        answer = self._ask({"do": "finish", "on": handle})
        self._raise(answer, stops=True)
        return self.unpack(answer.get("value"))

    def copy(self, handle: int, deep: bool) -> Any:
        """Return a copy of an object, which is made in the program's process."""
        return self._do({"do": "copy", "on": handle, "deep": deep})

    def hide(self, failure: BaseException) -> None:
        """Remember a failed assert that the program may hide, so that the test fails all the same."""
        self.refused = f"an assert failed in a context of the program: {failure}"

    def refuse(self, what: str, why: str = "would show the program a value of the tests") -> RefusedError:
        """Return the error to raise, and remember it, so that a test that catches it fails all the same."""
        self.refused = f"{what} {why}; compare plain data instead"
        return RefusedError(self.refused)

    def _do(self, question: Message) -> Any:
        answer = self._ask(question)
        self._raise(answer)
        return self.unpack(answer.get("value"))

    def _ask(self, question: Message) -> Message:
        self.turns += 1
        try:
            answer = self._link.ask(question)
        except EOFError:
            self.ended = True
            raise ProgramEndedError("the program's process has ended") from None
        printed = answer.get("printed")
        if isinstance(printed, str):
            sys.stdout.write(printed)
        return answer

    def _raise(self, answer: Message, stops: bool = False) -> None:
        """Raise what the program raised, if it raised anything, as an Exception or a SystemExit.

        Only an iterator may stop an iteration (`stops`): a function that does would end a loop of the tests,
        so its StopIteration becomes a RuntimeError, as that of a generator does (PEP 479).
        """
        raised = answer.get("raised")
        if not isinstance(raised, dict):
            return
        kind: Any = getattr(builtins, str(raised.get("builtin")), None)
        if not (isinstance(kind, type) and issubclass(kind, Exception | SystemExit)):
            kind = RuntimeError
        handle = raised.get("class")
        if isinstance(handle, int):
            kind = self._classes.of(handle)
            if not issubclass(kind, Exception):
                kind = RuntimeError
        if not stops and issubclass(kind, StopIteration | StopAsyncIteration | GeneratorExit):
            kind = RuntimeError
        text = str(raised.get("text"))
        error: Any
        try:
            error = kind(*self.unpack(raised.get("args")))
        except Exception:
            error = kind.__new__(kind, text)  # the __init__ of the class expects other arguments
        if hasattr(kind, "_markscheme_text"):
            error._markscheme_text, error._markscheme_handle = text, raised.get("on")
        cause = raised.get("cause")
        if isinstance(cause, dict):
            try:
                self._raise({"raised": cause})
            except BaseException as reason:
                error.__cause__ = reason
        raise error

    def pack(self, value: Any) -> Any:
        """Return a value as a message holds it: what is not plain data becomes a handle or is lent."""
        return pack(value, self._foreign)

    def unpack(self, packed: Any) -> Any:
        """Return the value that a message holds.

        Raises:
            ValueError: it holds none.
        """
        return unpack(packed, self._known)

    def _foreign(self, value: Any) -> Any:
        if isinstance(value, StandInClass):
            return {"^": type.__getattribute__(value, "_markscheme_class")}
        if isinstance(value, StandIn):
            return {"^": object.__getattribute__(value, "_markscheme_handle")}
        if isinstance(value, BaseException) or "_markscheme_class" in getattr(value, "__dict__", ()):
            return self._packed_error(value)
        if is_builtin(value):
            return {"B": value.__name__}
        if isinstance(value, TracebackType):
            return None
        if isinstance(value, NEVER_LENT):
            raise self.refuse(f"passing a {type(value).__name__}")
        number = self._lent_numbers.get(id(value))
        if number is None:
            number = self._lent_numbers[id(value)] = len(self._lent)
            self._lent.append(value)
        return {"!": [number, special_methods_of(value)]}

    def _packed_error(self, value: Any) -> Any:
        """Return what is sent for an exception, or for one of the program's classes of exceptions."""
        if isinstance(value, type):
            return {"^": vars(value)["_markscheme_class"]}
        if hasattr(type(value), "_markscheme_class"):
            return {"^": self.handle_of_error(value)}
        return {"E": [nearest_builtin(type(value)), self.pack(list(value.args))]}

    def describe(self, handle: int) -> Message:
        """Return what there is to know about one of the program's classes."""
        description = self._ask({"do": "describe", "on": handle}).get("value")
        if not isinstance(description, dict) or not isinstance(description.get("bases"), list):
            raise ProgramEndedError
        return description

    def handle_of_error(self, error: Any) -> int:
        """Return the handle of an exception of one of the program's classes, creating it there if need be."""
        if not isinstance(error._markscheme_handle, int):
            question: Message = {"do": "call", "on": type(error)._markscheme_class, "kwargs": {"d": []}}
            answer = self._ask({**question, "args": self.pack(list(error.args))})
            self._raise(answer)
            error._markscheme_handle = answer["value"]["@"][0]
        return error._markscheme_handle

    def _known(self, packed: Message) -> Any:
        """Return the value for what the program's `ObjectServer` sends where a value is not plain data."""
        if "A" in packed:
            return self._array(*packed["A"])
        if "@co" in packed:
            return _awaited(self, packed["@co"])
        if "!" in packed:
            return self._lent[packed["!"][0]]
        if "B" in packed:
            value = getattr(builtins, packed["B"])
            if not is_harmless_builtin(value):
                raise ValueError("not a built-in that a program may hand to tests")
            return value
        if "@c" in packed:
            return self._classes.of(packed["@c"])
        handle, of_class = packed["@"]
        if handle not in self._objects:
            kind = self._classes.of(of_class)
            if issubclass(kind, BaseException):
                error = kind.__new__(kind)
                error._markscheme_handle = handle  # pyright: ignore[reportAttributeAccessIssue]
                return error
            stand_in = object.__new__(kind if issubclass(kind, StandIn) else StandIn)
            object.__setattr__(stand_in, "_markscheme_handle", handle)
            self._objects[handle] = stand_in
        return self._objects[handle]

    def _array(self, kind: Any, items: Any) -> Any:
        items = self.unpack(items)
        return array_of(kind, items) if self._with_arrays else items

    def _serve(self, question: Message) -> Message:
        """Answer the program about an object that was lent to it."""
        try:
            self._read.forget()
            lent = self._lent[question["on"]]
            args, kwargs = self.unpack(question["args"]), self.unpack(question["kwargs"])
            name = str(question.get("name"))
            if question["do"] == "set":
                self.originals.keep_field(lent, name)
            return {"value": self.pack(use_lent(lent, question["do"], name, args, kwargs))}
        except Exception as error:
            if isinstance(error, AssertionError):
                self.refused = f"an assert failed where the program called the tests: {error}"
            from_program = hasattr(type(error), "_markscheme_class")
            handle = self.handle_of_error(error) if from_program else None
            return {"raised": {"builtin": nearest_builtin(type(error)), "args": [str(error)], "on": handle}}


async def _awaited(program: Program, handle: int) -> Any:
    """Stand for a coroutine of the program, which runs to its end when this one is awaited."""
    return program.finish(handle)


def _is_class_name(name: str) -> bool:
    """Whether a name is written as that of a class; a class with another name is used as a function."""
    return name.lstrip("_")[:1].isupper()
