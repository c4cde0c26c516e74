"""Tells what a file is that is no table, by its first bytes, and what to do with it."""

KINDS: tuple[tuple[bytes, str, str], ...] = (
    (b"PAR1", "a parquet file", "Give it the ending .parquet"),
    *(
        (start, f"an image ({form})", "Give the folder of images as data.path")
        for start, form in (
            (b"\x89PNG", "PNG"),
            (b"\xff\xd8\xff", "JPEG"),
            (b"GIF8", "GIF"),
            (b"II*\0", "TIFF"),
            (b"MM\0*", "TIFF"),
        )
    ),
    *(
        (start, f"a {form} archive", "Unpack it, and give the folder as data.path")
        for start, form in ((b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!", "RAR"), (b"\x28\xb5\x2f\xfd", "zstd"))
    ),
    *(
        (start, form, "Save it as a CSV, or its images as files in a folder for each class")
        for start, form in (
            (b"\xd0\xcf\x11\xe0", "an Excel workbook"),
            (b"\x93NUMPY", "a NumPy file"),
            (b"\x89HDF", "an HDF5 file"),
            (b"SQLite format 3", "an SQLite database"),
            (b"%PDF", "a PDF"),
            (b"\x80\x02", "a pickle"),
            (b"\x80\x03", "a pickle"),
            (b"\x80\x04", "a pickle"),
            (b"\x80\x05", "a pickle"),
            (b"{", "a JSON file"),
        )
    ),
)
"""The first bytes of kinds of files, their names, and what to do."""


def kind_of(start: bytes) -> tuple[str, str] | None:
    """Returns what a file is that starts so, and what to do with it; None if that is not known."""
    return next(((name, action) for magic, name, action in KINDS if start.startswith(magic)), None)
