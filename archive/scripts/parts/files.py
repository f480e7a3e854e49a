"""Input files from the folder of the script, or downloaded."""

import hashlib
import shutil
import urllib.parse
import urllib.request


def get_file(file, folder):
    """Path of an input file in the folder of this script; it is downloaded if missing, and its checksum is verified."""
    path = folder / file["name"]
    if is_there(path):
        if sha256_of(path) == file["sha256"]:
            return path
        raise SystemExit(f"{path} does not match its checksum; move it away and run the script again")
    part = folder / "download.part"
    for address in file["addresses"]:
        print("downloading", address)
        try:
            if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
                raise ValueError("only http and https URLs are supported")
            with urllib.request.urlopen(address, timeout=60) as answer, part.open("wb") as stream:
                shutil.copyfileobj(answer, stream)
            if sha256_of(part) == file["sha256"]:
                part.replace(path)
                return path
            print("  the downloaded file does not match its checksum")
        except (OSError, ValueError) as error:
            print("  failed:", error)
    part.unlink(missing_ok=True)
    raise SystemExit(f"cannot get {file['name']!r}: copy it to {folder.resolve()}")


def is_there(path):
    """Whether a file exists; False for names that are invalid on this system."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def sha256_of(path):
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
