"""What jobs read from S3 and write to it."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

_PIECE: Final = 1024 * 1024


class JobError(Exception):
    """A job fails; the text is its failure reason, with the service's prefix such as ``ClientError:``."""


def location(uri: str) -> tuple[str, str]:
    """Bucket and key of an S3 URI."""
    if not uri.startswith("s3://"):
        raise JobError(f"ClientError: {uri!r} is not an S3 URI")
    bucket, _, key = uri[len("s3://") :].partition("/")
    return bucket, key


def join(uri: str, *parts: str) -> str:
    """An S3 URI below another."""
    return "/".join([uri.rstrip("/"), *parts])


def listed(client: Any, uri: str) -> list[str]:
    """Keys of all objects whose key begins as the URI says; none in a bucket that does not exist."""
    from botocore.exceptions import ClientError

    bucket, prefix = location(uri)
    found: list[str] = []
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            found += [item["Key"] for item in page.get("Contents", ())]
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise JobError(f"ClientError: Data download failed:{error}") from error
    return found


def keys(client: Any, uri: str, role: str = "") -> list[str]:
    """Keys of all objects whose key begins as the URI says, without those that only mark folders.

    :param role: the job's role, for the error text.
    :raises JobError: there are no objects, in the service's words.
    """
    found = listed(client, uri)
    if not found:
        bucket = location(uri)[0]
        raise JobError(
            f'ClientError: Data download failed:No S3 objects found under S3 URL "{uri}" given in input data source. '
            f"Please ensure that the bucket exists in the selected region ({client.meta.region_name}), that objects exist "
            f'under that S3 prefix, and that the role "{role}" has "s3:ListBucket" permissions on bucket "{bucket}".'
        )
    return [key for key in found if not key.endswith("/")]


def relative(key: str, prefix: str) -> str:
    """Where an object of a prefix lies below the folder that it is downloaded to.

    A prefix that is a folder's name, with or without the last slash, stands for what is in the folder; of any other prefix
    its folder does, so that a single object keeps its name.
    """
    folder = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    if not key.startswith(folder):
        folder = prefix[: prefix.rfind("/") + 1]
    return key[len(folder) :]


def objects(client: Any, source: dict[str, Any], role: str = "") -> list[tuple[str, str, str]]:
    """What a data source stands for.

    :param source: ``S3Uri`` and ``S3DataType`` (``S3Prefix`` or ``ManifestFile``).
    :return: (bucket, key, relative path) of each object.
    :raises JobError: there is nothing, or the manifest cannot be read.
    """
    bucket, prefix = location(source["S3Uri"])
    if source.get("S3DataType", "S3Prefix") == "S3Prefix":
        return [(bucket, key, relative(key, prefix)) for key in keys(client, source["S3Uri"], role)]
    try:
        manifest = json.loads(read(client, source["S3Uri"]))
        base = manifest[0]["prefix"]
        entries = [str(entry) for entry in manifest[1:]]
    except (ValueError, TypeError, LookupError) as error:
        raise JobError(
            f"ClientError: Data download failed:the manifest {source['S3Uri']} is malformed: {error}"
        ) from error
    bucket, prefix = location(base)
    return [(bucket, prefix + entry, entry) for entry in entries]


def download(client: Any, source: dict[str, Any], folder: Path, *, unzip: bool = False, role: str = "") -> int:
    """Download a data source into a folder. One after the other: client and endpoint share a process.

    :param unzip: decompress objects that are compressed with gzip; ``.gz`` at the end of a name is dropped.
    :return: number of files.
    :raises JobError: nothing to download, or it fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = objects(client, source, role)
    for bucket, key, name in found:
        target = folder / name
        if not name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise JobError(f"ClientError: Data download failed:the key {key!r} has no place in a folder")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            fetch(client, bucket, key, target)
            if unzip:
                _unzip(target)
        except (NotADirectoryError, IsADirectoryError, FileExistsError) as error:
            raise JobError(
                f"ClientError: Data download failed:{key!r} is a file and a folder in s3://{bucket}"
            ) from error
    return len(found)


def fetch(client: Any, bucket: str, key: str, target: Path) -> None:
    """Download an object.

    :raises JobError: it cannot be read.
    """
    from botocore.exceptions import ClientError

    try:
        body = client.get_object(Bucket=bucket, Key=key)["Body"]
    except ClientError as error:
        raise JobError(f"ClientError: Data download failed:s3://{bucket}/{key}: {error}") from error
    with target.open("wb") as file:
        shutil.copyfileobj(body, file, _PIECE)


def read(client: Any, uri: str) -> bytes:
    """The bytes of an object.

    :raises JobError: it cannot be read.
    """
    from botocore.exceptions import ClientError

    bucket, key = location(uri)
    try:
        return client.get_object(Bucket=bucket, Key=key)["Body"].read()  # type: ignore[no-any-return]
    except ClientError as error:
        raise JobError(f"ClientError: Data download failed:{uri}: {error}") from error


def _unzip(file: Path) -> None:
    with file.open("rb") as probe:
        if probe.read(2) != b"\x1f\x8b":
            return
    target = file.with_suffix("") if file.suffix == ".gz" else file.with_name(f"{file.name}.unzipped")
    try:
        with gzip.open(file) as source, target.open("wb") as plain:
            shutil.copyfileobj(source, plain, _PIECE)
    except (OSError, EOFError) as error:
        raise JobError(f"ClientError: Data download failed:{file.name} cannot be decompressed: {error}") from error
    file.unlink()
    if file.suffix != ".gz":
        target.rename(file)


def put(client: Any, uri: str, body: bytes | Path) -> None:
    """Upload bytes or a file.

    :raises JobError: it cannot be written.
    """
    from botocore.exceptions import ClientError

    bucket, key = location(uri)
    try:
        if isinstance(body, bytes):
            client.put_object(Bucket=bucket, Key=key, Body=body)
        else:
            with body.open("rb") as file:
                client.put_object(Bucket=bucket, Key=key, Body=file)
    except (ClientError, OSError) as error:
        raise JobError(f"ClientError: Artifact upload failed:{uri}: {error}") from error


def files(folder: Path) -> Iterator[Path]:
    """The files below a folder, in the order of their names."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            yield Path(parent, name)


def upload(client: Any, folder: Path, uri: str, found: Iterable[tuple[Path, Path]] | None = None) -> int:
    """Upload a folder.

    :param found: (file, where its content is) of those to upload; by default all.
    :return: number of files.
    :raises JobError: it fails.
    """
    count = 0
    for file, content in found if found is not None else ((file, file) for file in files(folder)):
        put(client, join(uri, file.relative_to(folder).as_posix()), content)
        count += 1
    return count


def pack(folder: Path, archive: Path) -> Path:
    """Make a tar.gz of what is in a folder."""
    with tarfile.open(archive, "w:gz", compresslevel=6) as tar:
        for entry in sorted(folder.iterdir()):
            tar.add(entry, entry.name)
    return archive


def unpack(archive: Path, folder: Path) -> None:
    """Extract a tar.gz; nothing of it lands outside of the folder.

    :raises JobError: it is no archive, or it wants to be outside.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    try:
        with tarfile.open(archive, "r:*") as tar:
            for member in tar.getmembers():
                _check_member(member, root)
            if hasattr(tarfile, "data_filter"):
                tar.extractall(folder, filter="data")
            else:  # older patch releases of 3.10 and 3.11
                tar.extractall(folder)  # noqa: S202 - members are checked above
    except (tarfile.TarError, OSError, EOFError) as error:
        raise JobError(f"ClientError: {archive.name} cannot be extracted: {error}") from error


def _check_member(member: tarfile.TarInfo, root: Path) -> None:
    places = [member.name]
    if member.issym():
        places.append(os.path.join(os.path.dirname(member.name), member.linkname))
    elif member.islnk():
        places.append(member.linkname)
    for place in places:
        inside = os.path.normpath(root / place)
        if os.path.isabs(place) or (inside != str(root) and not inside.startswith(f"{root}{os.sep}")):
            raise JobError(f"ClientError: the archive's entry {member.name!r} is outside of the folder")
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        raise JobError(f"ClientError: the archive's entry {member.name!r} is neither file, folder nor link")
