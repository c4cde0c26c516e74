"""Takes the picture out of a request: the body as it is, or a form's file. Writes nothing to the disk."""

from collections.abc import AsyncGenerator, AsyncIterator

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from fer_lightning.use.images import START, begins_as_image

PICTURES = "jpg, png, webp, bmp, tiff, gif, avif or heic"

MOST_FIELDS = 8
"""Of a form that comes with a file."""


class RefusedError(Exception):
    """A request that is not answered, and why.

    Args:
        status: of HTTP.
        reason: for the client.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def picture_in(request: Request, most: int) -> bytes:
    """Returns the content of the image file that a request has.

    Args:
        request: a form with a file (multipart/form-data), or anything else, whose body is the file.
        most: bytes.

    Raises:
        RefusedError: the body is larger, or has no file in it.
    """
    declared = request.headers.get("content-length", "0")
    if declared.isdecimal() and int(declared) > most:
        raise _too_large(most)
    body = b"".join([chunk async for chunk in _limited(request, most)])
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        body = await _file_of_form(request, body)
    if not body:
        raise RefusedError(400, "there is no picture: send an image file as the request's body, or as a form's file")
    if not begins_as_image(body[:START]):
        raise RefusedError(415, f"it is no picture: expected {PICTURES}")
    return body


async def _limited(request: Request, most: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        yield chunk


async def _file_of_form(request: Request, body: bytes) -> bytes:
    async def whole() -> AsyncGenerator[bytes]:
        yield body

    parser = MultiPartParser(request.headers, whole(), max_files=1, max_fields=MOST_FIELDS)
    parser.spool_max_size = len(body) + 1  # so that the file stays in memory
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError, ValueError, UnicodeDecodeError) as error:
        raise RefusedError(400, f"the form cannot be read: {str(error)[:200]}. It has one file at most") from error
    try:
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        return await files[0].read() if files else b""
    finally:
        await form.close()


def _too_large(most: int) -> RefusedError:
    return RefusedError(413, f"the picture is larger than {most:,} bytes")
