"""The API server as the operator writes to it: server-side apply under one field manager, gets and deletes."""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp
import kopf

from eclip.api import names
from eclip.errors import EclipError

CONNECTIONS = 32
TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
WATCH_S = 300
"""How long one watch lasts, as the API server is asked; a little later it is taken for dead."""
WATCH_TIMEOUT = aiohttp.ClientTimeout(total=WATCH_S + 30, sock_connect=5)
LONGEST_LINE = 1 << 21
"""Bytes of one object; etcd takes no larger ones."""
GROUP = f"/apis/{names.GROUP}/{names.VERSION}"
Object = dict[str, Any]


class ApiError(EclipError):
    """The API server refuses, or does not answer.

    Attributes:
        code: HTTP status; 0 if there was no answer.
    """

    def __init__(self, what: str, code: int, message: str) -> None:
        super().__init__(f"{what}: {message}")
        self.code = code

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed later."""
        return self.code in (0, 401, 403, 408, 429) or self.code >= 500


class Cluster:
    """One session with the API server. Use as an asynchronous context."""

    def __init__(self, login: Callable[[], kopf.ConnectionInfo]) -> None:
        self._login = login
        self._session: aiohttp.ClientSession | None = None
        self._server = ""

    async def __aenter__(self) -> "Cluster":
        self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def get(self, path: str, **query: str) -> Object | None:
        """An object or a list; None if there is none. ApiError for anything else."""
        try:
            return await self._request("GET", path, query)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def metadata(self, path: str) -> list[Object]:
        """Of all objects of a list their metadata alone, from the API server's cache. ApiError."""
        metadata_only = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        found = await self._request("GET", path, {"resourceVersion": "0"}, accept=metadata_only)
        return [one["metadata"] for one in found["items"] or ()]

    async def names(self, path: str) -> set[tuple[str, str]]:
        """Namespace (or nothing) and name of all objects of a list. ApiError."""
        return {(one.get("namespace", ""), one["name"]) for one in await self.metadata(path)}

    async def watch(self, path: str, since: str, **query: str) -> AsyncIterator[Object]:
        """Events of a list from a resource version on, until the API server ends the stream. ApiError."""
        what = f"watch {path}"
        session = self._session or self._open()
        asked = {"watch": "1", "resourceVersion": since, "timeoutSeconds": str(WATCH_S), **query}
        try:
            async with session.get(
                f"{self._server}{path}", params=asked, timeout=WATCH_TIMEOUT, read_bufsize=LONGEST_LINE
            ) as response:
                if response.status >= 400:
                    raise ApiError(what, response.status, f"{response.status} {_message(await response.read())}")
                async for line in response.content:
                    yield json.loads(line)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ApiError(what, 0, f"{type(error).__name__}: {error}") from error

    async def apply(self, path: str, body: Mapping[str, Any]) -> Object:
        """Makes these fields ours, with these values; the object as it is then. ApiError."""
        query = {"fieldManager": names.OPERATOR, "force": "true"}
        return await self._request("PATCH", path, query, body, kind="application/apply-patch+yaml")

    async def delete(self, path: str, uid: str | None = None) -> None:
        """Removes an object, if it is there (and has this UID). ApiError."""
        body = {"preconditions": {"uid": uid}} if uid else {}
        try:
            await self._request("DELETE", path, {}, body)
        except ApiError as error:
            if error.code not in (404, 409):
                raise

    def _open(self) -> aiohttp.ClientSession:
        info = self._login()
        connector = aiohttp.TCPConnector(limit=CONNECTIONS, ssl=info.as_ssl_context())
        headers = {**info.as_http_headers(), "User-Agent": names.OPERATOR}
        self._server = info.server.rstrip("/")
        self._session = aiohttp.ClientSession(connector=connector, headers=headers, timeout=TIMEOUT)
        return self._session

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        *,
        kind: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        what = f"{method} {path}"
        data = None if body is None else json.dumps(body).encode()
        try:
            session = self._session or self._open()
            headers = {"Content-Type": kind, "Accept": accept}
            url = f"{self._server}{path}"
            async with session.request(method, url, params=query, data=data, headers=headers) as response:
                text = await response.read()
                if response.status == 401 and self._session is session:
                    # The token has been renewed meanwhile.
                    self._session = None
                    await session.close()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiError(what, 0, f"{type(error).__name__}: {error}") from error
        if response.status >= 400:
            raise ApiError(what, response.status, f"{response.status} {_message(text)}")
        return json.loads(text) if text else {}


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        return text[:200].decode(errors="replace")
