"""The client of vLLM servers, without vLLM: what it asks again, and what it does not."""

import pytest

from markscheme.trainer.engines.vllm_client import Server, ServerTrouble
from vllm_engines import COMPLETIONS, HEALTH, FaultyProxy


def test_a_question_is_asked_again_where_its_connection_was_closed() -> None:
    """As a server closes it that has just answered 500; the next question on it is not a server's failure."""
    answering = FaultyProxy("")
    answering.fail(200, HEALTH)
    proxy = FaultyProxy(answering.url)
    proxy.fail("cut", HEALTH, times=1)
    server = Server(proxy.url, timeout_s=5)
    assert server.get(HEALTH)
    assert proxy.seen == [HEALTH, HEALTH]


def test_an_order_is_not_given_twice() -> None:
    proxy = FaultyProxy("")
    proxy.fail("cut", COMPLETIONS)
    server = Server(proxy.url, timeout_s=5)
    with pytest.raises(ServerTrouble, match="cannot be reached"):
        server.post(COMPLETIONS)
    assert proxy.seen == [COMPLETIONS]
