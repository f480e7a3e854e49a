"""Files from beside the script, else from where they came from."""

import hashlib
import shutil
import urllib.parse
import urllib.request


def get_file(file, folder):
    """Path of an input file: beside this script, else downloaded to there. Another content is refused."""
    path = folder / file["name"]
    if is_there(path):
        if sha256_of(path) == file["sha256"]:
            return path
        raise SystemExit(f"{path} has another content than the file this script was made for; move it away")
    part = folder / "download.part"
    for address in file["addresses"]:
        print("downloading", address)
        try:
            if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
                raise ValueError("only http and https addresses are opened")
            with urllib.request.urlopen(address, timeout=60) as answer, part.open("wb") as stream:
                shutil.copyfileobj(answer, stream)
            if sha256_of(part) == file["sha256"]:
                part.replace(path)
                return path
            print("  the file there has another content")
        except (OSError, ValueError) as error:
            print("  not there:", error)
    part.unlink(missing_ok=True)
    raise SystemExit(f"cannot get {file['name']!r}: put it beside this script, in {folder.resolve()}")


def is_there(path):
    """Whether there is such a file; a name that the system cannot have is not there."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def sha256_of(path):
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
