"""Asking an endpoint: one reply per question, within a deadline, a concurrency and a rate, kept on disk.

The official client retries dropped connections, timeouts and the statuses 408, 409, 429 and 5xx with
exponential back-off, and waits as long as a server's `Retry-After` says.
"""

import asyncio
import hashlib
import json
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from ....sandbox.errors import InfraError, RewardError, first_line

Messages = list[dict[str, str]]
_URL = re.compile(r"https?://([^\s/:\[\]]+|\[[^\s\]]+\])(:\d+)?(/\S*)?")


@dataclass(frozen=True)
class EndpointSettings:
    """How an endpoint is asked."""

    url: str
    model: str
    key_env: str
    deadline_s: float
    concurrency: int
    per_minute: int | None
    retries: int
    temperature: float | None
    max_tokens: int
    cache: str | None


class NoReply(Exception):
    """The model gives no reply to the question: it is too long for it, or it declines."""


class Endpoint:
    """Asks one model at one endpoint. It belongs to the event loop that it was made in.

    Raises:
        RewardError: the client is not installed.
    """

    def __init__(self, settings: EndpointSettings):
        self.settings = settings
        self._client = client_of(settings)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._next_start = 0.0
        self._running: dict[str, asyncio.Task[str]] = {}
        """The questions that are being asked, so that no question is asked twice at the same time."""

    async def ask(
        self, messages: Messages, schema: dict[str, Any], vote: int, is_verdict: Callable[[str], bool]
    ) -> str:
        """Return the text of the model's reply; one that is a verdict is kept, and not asked for again.

        Args:
            messages: the question.
            schema: the JSON schema of the reply.
            vote: the number of the reply where several are wanted; it seeds the sampling.
            is_verdict: says whether a reply is worth keeping.

        Raises:
            InfraError: there was no reply in time.
            NoReply: the model cannot answer, or declines.
            RewardError: the endpoint refused the question: the key, the model's name or the request is wrong.
        """
        key = self._key(messages, schema, vote)
        kept = self._kept(key)
        if kept is not None and is_verdict(kept):
            return kept
        if key not in self._running:
            self._running[key] = asyncio.create_task(self._asked(messages, schema, vote))
        try:
            reply = await asyncio.shield(self._running[key])
        finally:
            if key in self._running and self._running[key].done():
                del self._running[key]
        if is_verdict(reply):
            self._keep(key, reply)
        return reply

    def _keep(self, key: str, reply: str) -> None:
        if self.settings.cache is None:
            return
        path = self._path(key)
        # A name of its own, because several processes may share the folder. A verdict that cannot be kept is
        # a verdict all the same.
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile("w", dir=path.parent, delete=False, encoding="utf-8") as file:
                json.dump({"reply": reply}, file)
            os.replace(file.name, path)

    def _kept(self, key: str) -> str | None:
        if self.settings.cache is None:
            return None
        try:
            reply = json.loads(self._path(key).read_text(encoding="utf-8"))["reply"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None  # a file that is damaged is asked for and written again
        return reply if isinstance(reply, str) else None

    def _path(self, key: str) -> Path:
        return Path(self.settings.cache or "").expanduser() / key[:2] / f"{key}.json"

    def _key(self, messages: Messages, schema: dict[str, Any], vote: int) -> str:
        """Return a hash of everything on which a reply depends."""
        settings = asdict(self.settings)
        asked = {name: settings[name] for name in ("url", "model", "temperature", "max_tokens")}
        content = json.dumps([asked, messages, schema, vote], sort_keys=True)
        return hashlib.sha256(content.encode(errors="backslashreplace")).hexdigest()

    async def _asked(self, messages: Messages, schema: dict[str, Any], vote: int) -> str:
        settings = self.settings
        async with self._slots:
            await self._in_turn()
            try:
                return await asyncio.wait_for(self._reply(messages, schema, vote), settings.deadline_s)
            except TimeoutError as error:
                raise InfraError(f"{settings.url}: no reply within {settings.deadline_s:g} s") from error

    async def _in_turn(self) -> None:
        """Wait until the rate allows another question."""
        if self.settings.per_minute is None:
            return
        now = asyncio.get_running_loop().time()
        start = max(now, self._next_start)
        self._next_start = start + 60 / self.settings.per_minute
        await asyncio.sleep(start - now)

    async def _reply(self, messages: Messages, schema: dict[str, Any], vote: int) -> str:
        import openai

        settings = self.settings
        reply_format = {
            "type": "json_schema",
            "json_schema": {"name": "verdict", "strict": True, "schema": schema},
        }
        try:
            response = await self._client.chat.completions.create(
                model=settings.model,
                messages=messages,
                max_completion_tokens=settings.max_tokens,
                seed=vote,
                response_format=reply_format,
                **({} if settings.temperature is None else {"temperature": settings.temperature}),
            )
        except openai.APIStatusError as error:
            raise _refused(error, settings) from error
        except (openai.OpenAIError, ValueError, RecursionError) as error:
            raise InfraError(f"{settings.url}: {type(error).__name__}: {first_line(error)}") from error
        try:
            choice = response.choices[0]
            refusal, content, finish = choice.message.refusal, choice.message.content, choice.finish_reason
        except (AttributeError, LookupError, TypeError) as error:
            raise InfraError(
                f"{settings.url}: what answers there does not reply as a chat model does; is the `url` right"
                " (it usually ends in /v1)?"
            ) from error
        if finish == "length":
            raise NoReply(f"the reply was cut off at max_tokens {settings.max_tokens}")
        if refusal or not isinstance(content, str):
            raise NoReply(f"the judge declined: {str(refusal or content)[:200]!r}")
        return content


def _refused(error: Any, settings: EndpointSettings) -> Exception:
    """Return the error that a status of the endpoint means."""
    said = first_line(error)[:300]
    if error.status_code in (408, 409, 425, 429) or error.status_code >= 500:
        return InfraError(
            f"{settings.url}: status {error.status_code} after {settings.retries} retries: {said}"
        )
    if error.status_code in (400, 413, 422) and any(
        word in said.lower() for word in ("context", "too long", "length")
    ):
        return NoReply(f"too long for the judge: {said}")
    advice = {
        401: f"is the key in ${settings.key_env} right?",
        403: f"is the key in ${settings.key_env} allowed to use the model?",
        404: "are `url` and `model` right?",
    }.get(error.status_code, "does the endpoint support response_format json_schema, and this temperature?")
    return RewardError(
        f"{settings.url}: model {settings.model!r}: status {error.status_code}: {said}; {advice}"
    )


def client_of(settings: EndpointSettings) -> Any:
    """Return the official client.

    Raises:
        RewardError: it is not installed.
    """
    try:
        from openai import AsyncOpenAI
    except ImportError as error:
        raise RewardError(
            f"judge needs the package openai ({error}): pip install 'markscheme[judge]'"
        ) from error
    return AsyncOpenAI(
        base_url=settings.url,
        api_key=_key_of(settings),
        max_retries=settings.retries,
        timeout=settings.deadline_s,
    )


def _key_of(settings: EndpointSettings) -> str:
    """Return the key for an endpoint; a local server takes any."""
    return (os.environ.get(settings.key_env) or "none").strip()


def check_reachable(settings: EndpointSettings) -> None:
    """Check that something answers at the endpoint, whatever it answers.

    Raises:
        RewardError: nothing does.
    """
    if not _URL.fullmatch(settings.url):
        raise RewardError(f"judge: `url` must be like http://127.0.0.1:8000/v1 (given: {settings.url!r})")
    client_of(settings)
    import openai

    client = openai.OpenAI(
        base_url=settings.url,
        api_key=_key_of(settings),
        max_retries=0,
        timeout=min(settings.deadline_s, 20),
    )
    try:
        client.models.list()
    except openai.APIConnectionError as error:
        raise RewardError(
            f"judge: nothing answers at {settings.url} ({first_line(error)}); start the server, or give its"
            " `url`, such as http://127.0.0.1:8000/v1"
        ) from error
    except (openai.OpenAIError, ValueError):
        return  # it answers; whether it can judge will show
    finally:
        client.close()
