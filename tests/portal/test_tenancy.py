"""The tenant in scope: told to every connection, taken back whatever happens."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from django.contrib.sessions.backends.base import SessionBase
from django.db import connection, transaction
from django.db.utils import Error, ProgrammingError
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory

from portal import tenancy
from portal.models import Endpoint, Membership, Role, Tenant, User
from portal.web.middleware import TenantMiddleware

T = TypeVar("T")

pytestmark = pytest.mark.usefixtures("transactional_db")


@pytest.fixture
def oak() -> Tenant:
    return tenant("oak")


@pytest.fixture
def elm() -> Tenant:
    return tenant("elm")


def tenant(slug: str) -> Tenant:
    row = Tenant.objects.create(name=slug, slug=slug)
    with tenancy.scope(row.pk):
        Endpoint.objects.create(tenant=row, name=slug)
    return row


def seen() -> list[str]:
    return list(Endpoint.objects.order_by("name").values_list("name", flat=True))


def setting() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('app.tenant', true), '')")
        return str(cursor.fetchone()[0])


def on_a_thread(function: Callable[[], T]) -> T:
    """Runs it on another thread, whose connection is closed."""

    def call() -> T:
        try:
            return function()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def cut_the_connection() -> None:
    """The server ends our session, as a restart does."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()

    def end() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET ROLE NONE")
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    on_a_thread(end)


def fail_a_query() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing")


def test_without_a_scope_nothing_is_seen(oak: Tenant) -> None:
    assert seen() == []
    assert tenancy.current() is None


def test_a_scope_shows_its_tenant_only(oak: Tenant, elm: Tenant) -> None:
    with tenancy.scope(oak.pk):
        assert (seen(), tenancy.current()) == (["oak"], oak.pk)
    assert seen() == []


def test_everyone_shows_all_and_needs_a_reason(oak: Tenant, elm: Tenant) -> None:
    with tenancy.everyone("a test looks across"):
        assert (seen(), tenancy.current()) == (["elm", "oak"], None)
    with pytest.raises(ValueError, match="reason"), tenancy.everyone(""):
        pass


def test_scopes_nest(oak: Tenant, elm: Tenant) -> None:
    with tenancy.scope(oak.pk):
        with tenancy.everyone("a test looks across"):
            with tenancy.scope(elm.pk):
                assert seen() == ["elm"]
            assert seen() == ["elm", "oak"]
        assert seen() == ["oak"]


def test_an_exception_ends_a_scope(oak: Tenant) -> None:
    with pytest.raises(RuntimeError), tenancy.scope(oak.pk):
        raise RuntimeError
    assert (seen(), setting()) == ([], "")


def test_a_scope_within_a_transaction_that_breaks_is_taken_back(oak: Tenant, elm: Tenant) -> None:
    with tenancy.scope(elm.pk):
        with pytest.raises(ProgrammingError), transaction.atomic(), tenancy.scope(oak.pk):
            fail_a_query()
        assert seen() == ["elm"]
    assert seen() == []


def test_a_broken_transaction_within_a_scope_is_taken_back(oak: Tenant) -> None:
    with pytest.raises(ProgrammingError), tenancy.scope(oak.pk), transaction.atomic():
        fail_a_query()
    assert (seen(), setting()) == ([], "")


def test_a_scope_survives_a_savepoint_that_is_rolled_back(oak: Tenant, elm: Tenant) -> None:
    with transaction.atomic(), tenancy.scope(oak.pk):
        with pytest.raises(ProgrammingError), transaction.atomic(), tenancy.scope(elm.pk):
            fail_a_query()
        assert seen() == ["oak"]
    assert seen() == []


def test_a_failure_that_is_swallowed_inside_a_transaction_leaks_nothing(
    oak: Tenant, elm: Tenant
) -> None:
    with tenancy.scope(elm.pk):
        with transaction.atomic():
            with pytest.raises(ProgrammingError), tenancy.scope(oak.pk):
                fail_a_query()
            with pytest.raises(Error):
                seen()
            transaction.set_rollback(True)
        assert seen() == ["elm"]


def test_a_connection_that_is_lost_is_told_again(oak: Tenant) -> None:
    with tenancy.scope(oak.pk):
        connection.close()
        assert seen() == ["oak"]
    assert seen() == []


def test_a_connection_cut_by_the_server_is_replaced_and_told(oak: Tenant, elm: Tenant) -> None:
    with tenancy.scope(oak.pk):
        cut_the_connection()
        with tenancy.scope(elm.pk):
            assert seen() == ["elm"]
        assert seen() == ["oak"]
    cut_the_connection()
    with tenancy.scope(oak.pk):
        assert seen() == ["oak"]


def test_a_connection_cut_within_a_transaction_leaks_nothing(oak: Tenant, elm: Tenant) -> None:
    with pytest.raises(Error), transaction.atomic(), tenancy.scope(oak.pk):
        cut_the_connection()
        seen()
    assert (seen(), setting()) == ([], "")
    with tenancy.scope(elm.pk):
        assert seen() == ["elm"]


def test_another_thread_is_not_in_scope(oak: Tenant) -> None:
    with tenancy.scope(oak.pk):
        assert on_a_thread(seen) == []
        assert on_a_thread(tenancy.current) is None


def test_threads_have_scopes_of_their_own(oak: Tenant, elm: Tenant) -> None:
    def look() -> list[str]:
        with tenancy.scope(elm.pk):
            return seen()

    with tenancy.scope(oak.pk):
        assert on_a_thread(look) == ["elm"]
        assert seen() == ["oak"]


def test_a_thread_that_inherits_a_scope_shows_nothing_and_keeps_nothing(
    oak: Tenant, elm: Tenant
) -> None:
    """As with asyncio.to_thread: the context is copied, and the connection outlives the call."""
    with tenancy.scope(oak.pk):
        inherited = contextvars.copy_context()
    with ThreadPoolExecutor(1) as pool:
        try:
            assert pool.submit(inherited.run, seen).result() == []
            assert pool.submit(seen).result() == []
        finally:
            pool.submit(lambda: connection.close()).result()


@pytest.fixture
def ada(oak: Tenant, elm: Tenant) -> User:
    user = User.objects.create_user("ada@example.org")
    Membership.objects.create(tenant=oak, user=user, role=Role.VIEWER)
    return user


def serve(user: User, answer: HttpResponseBase) -> HttpResponseBase:
    request: HttpRequest = RequestFactory().get("/")
    request.user, request.session = user, SessionBase()
    return TenantMiddleware(lambda _request: answer)(request)


def names() -> Iterator[str]:
    yield from seen()
    yield "."


def test_a_stream_is_read_in_the_scope_of_its_request(ada: User) -> None:
    response = serve(ada, StreamingHttpResponse(names()))
    assert isinstance(response, StreamingHttpResponse)
    assert b"".join(response.streaming_content) == b"oak."
    assert seen() == []


def test_a_stream_that_is_cut_off_ends_its_scope(ada: User) -> None:
    response = serve(ada, StreamingHttpResponse(names()))
    assert isinstance(response, StreamingHttpResponse)
    assert next(iter(response.streaming_content)) == b"oak"
    response.close()
    assert (seen(), setting()) == ([], "")


def test_a_plain_answer_is_left_as_it_is(ada: User) -> None:
    answer = HttpResponse("x")
    assert serve(ada, answer) is answer
