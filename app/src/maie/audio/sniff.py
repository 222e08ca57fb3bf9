"""What a file is, judged by its bytes: its demuxer, or the reason why it is refused.

Nothing is guessed by FFmpeg, which takes scripts and playlists for audio too. A format is one of the tables below, or
frames in a row (:mod:`maie.audio.runs`). What surrounds a recording in the field is passed over: tags, zeros, and
stray bytes up to :data:`WINDOW`.
"""

from __future__ import annotations

import io
import re
from typing import BinaryIO

from maie.audio.runs import begins_with_header, first_run
from maie.errors import EmptyAudio, NotAudio, UndecodableAudio

WINDOW = 128 * 1024
"""Bytes in which a recording must begin."""

MAX_ID3_TAGS = 4
MAX_ATOMS = 256

Table = tuple[tuple[str, bytes], ...]
"""Names, and regular expressions for the first bytes of a file."""

MAGIC: Table = (
    ("wav", rb"(?:RIFF|RIFX|RF64|BW64).{4}WAVE"),
    ("w64", rb"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb"),
    ("avi", rb"RIFF.{4}AVI "),
    ("aiff", rb"FORM.{4}AIF[FC]"),
    ("au", rb"\.snd\0\0"),
    ("caf", rb"caff\0\x01"),
    ("flac", rb"fLaC"),
    ("ogg", rb"OggS"),
    ("matroska", rb"\x1a\x45\xdf\xa3"),
    ("asf", rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c"),
    ("flv", rb"FLV\x01"),
    ("mpeg", rb"\0\0\x01\xba"),
    ("mxf", rb"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02"),
    ("amr", rb"#!AMR(?:-WB)?\n"),
    ("wv", rb"wvpk"),
    ("ape", rb"MAC .[\x0c-\x10]"),
    ("tta", rb"TTA1"),
    ("mpc8", rb"MPCK"),
    ("dss", rb"[\x02\x03]dss"),
    ("dsf", rb"DSD \x1c\0\0\0"),
    ("iff", rb"FRM8.{8}DSD "),
    ("voc", rb"Creative Voice File\x1a"),
    ("nistsphere", rb"NIST_1A\n"),
)
"""FFmpeg's demuxers, and the bytes with which their files begin. QuickTime and MP4 are told by their atoms."""

BURIED: Table = (
    ("wav", rb"(?:RIFF|RIFX|RF64|BW64).{4}WAVE(?:fmt |JUNK|bext|ds64|LIST)"),
    ("avi", rb"RIFF.{4}AVI LIST"),
    ("aiff", rb"FORM.{4}AIF[FC][A-Z]{4}"),
    ("caf", rb"caff\0\x01\0.desc"),
    ("flac", rb"fLaC[\0\x80]\0\0\x22"),
    ("ogg", rb"OggS\0\x02\0{8}"),
    ("matroska", rb"\x1a\x45\xdf\xa3.{1,40}\x42\x82[\x84\x88](?:webm|matroska)"),
    ("amr", rb"#!AMR(?:-WB)?\n"),
    ("mpeg", rb"\0\0\x01\xba(?:[\x44-\x7f].{8}\xf8|[\x21-\x2f].{7})\0\0\x01"),
    *(("mpegts", rb"(?:\x47[\0-\x7f].[\x10-\x3f\x50-\x7f\x90-\xbf\xd0-\xff].{%d}){5}" % n) for n in (184, 188, 200)),
)
"""Demuxers with bytes that no other file holds by chance, searched for in the whole :data:`WINDOW`."""

REFUSED: Table = (
    ("a JPEG picture", rb"\xff\xd8\xff"),
    ("a PNG picture", rb"\x89PNG"),
    ("a GIF picture", rb"GIF8[79]a"),
    ("a WebP picture", rb"RIFF.{4}WEBP"),
    ("a TIFF picture", rb"II\*\0|MM\0\*"),
    ("a HEIF or AVIF picture", rb".{4}ftyp(?:hei|hev|mif1|msf1|avi|crx)"),
    ("a PDF document", rb"%PDF-"),
    ("a Word, Excel or PowerPoint document", rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"),
    ("an RTF document", rb"\{\\rtf"),
    ("a ZIP archive or an Office document: unpack it and upload the recording", rb"PK(?:\x03\x04|\x05\x06|\x07\x08)"),
    ("a RAR archive: unpack it and upload the recording", rb"Rar!\x1a\x07"),
    ("a 7z archive: unpack it and upload the recording", rb"7z\xbc\xaf\x27\x1c"),
    ("a tar archive: unpack it and upload the recording", rb".{257}ustar"),
    (
        "a compressed file: unpack it and upload the recording",
        rb"\x1f\x8b\x08|BZh[1-9]1AY|\xfd7zXZ\0|\x28\xb5\x2f\xfd",
    ),
    ("a program", rb"\x7fELF|MZ.{56}|\xca\xfe\xba\xbe|\xcf\xfa\xed\xfe|#! ?/"),
    ("a database", rb"SQLite format 3\0"),
    ("a MIDI file, which holds notes and no sound", rb"MThd|RIFF.{4}RMID"),
    ("a Flash animation", rb"[FCZ]WS[\x01-\x40]"),
    ("a font or a SoundFont", rb"wOF[F2]|OTTO|RIFF.{4}sfbk"),
    ("DSS Pro (DS2) of a dictation machine: convert it to WAV or MP3 with the maker's program", rb"[\x01-\x07]ds2"),
    ("an encrypted dictation: decrypt it with the maker's program", rb"\x03enc"),
    ("RealMedia: convert it to WAV or MP3", rb"\.RMF|\.ra\xfd"),
    ("OpenMG audio (ATRAC): convert it to WAV or MP3 with the maker's program", rb"ea3\x03|EA3\x01"),
    ("a voice file of a Sony recorder (MSV, DVF): convert it to WAV or MP3 with the maker's program", rb"MS_VOICE"),
    ("a Musepack file of an old kind (SV7): convert it to WAV or FLAC", rb"MP\+"),
    ("a bare DV video: convert it to AVI or MOV", rb"\x1f\x07\0[\x3f\xbf]"),
    ("QCP of an old phone: convert it to WAV", rb"RIFF.{4}QLCM"),
    ("a TAK file: convert it to WAV or FLAC", rb"tBaK"),
    ("an OptimFROG file: convert it to WAV or FLAC", rb"OFR "),
    ("a Shorten file: convert it to WAV or FLAC", rb"ajkg"),
    ("a DRM-protected audiobook (Audible)", rb".{4}ftypaa|.{4}\x57\x90\x75\x36"),
    ("a piece of a stream without its beginning: upload the whole recording", rb".{4}(?:styp|moof|sidx)"),
    ("a bare video stream without sound", rb"\0\0\x01\xb3|\0\0\0?\x01[\x09\x40\x42\x67](?![a-z]{4})"),
    ("a bare AAC file of an old kind (ADIF): convert it to M4A or WAV", rb"ADIF"),
)
"""Other kinds of files, for the message that refuses them."""

SCRIPTS: Table = (
    ("an HLS or M3U playlist: upload the recording itself", rb"#EXTM3U"),
    ("a playlist: upload the recording itself", rb"\[playlist\]|ffconcat version|<asx|\[Reference\]"),
    ("a description of a stream (SDP): upload the recording itself", rb"v=0\r?\n"),
    ("subtitles", rb"WEBVTT|\[Script Info\]|1\r?\n\d\d:\d\d:\d\d"),
    ("a web page: what was downloaded is no recording", rb"<!doctype html|<html|<head"),
    ("an XML document", rb"<\?xml|<mpd|<smil|<svg"),
    ("text, not a recording", rb"\xff\xfe.\0|\xfe\xff\0."),
    ("JSON text", rb"[\[{]\s*(?:\"|\[|\{)"),
)
"""Playlists and scripts, and what a server may have sent instead of a recording."""

_DRM = (bytes.fromhex("fbb31122 23bdd211 b4b700a0 c955fc6e"), bytes.fromhex("14e68a29 2226 174c b935 dae07ee9289c"))
"""Objects of an ASF header that say that its content is encrypted."""

_TAG_ONLY = "The file holds a tag and no audio."

_ATOM = re.compile(rb"ftyp|moov|mdat|free|skip|wide|pnot|PICT|udta|uuid|meta|moof|mfra|styp|sidx|emsg|prft|junk")


def sniff(file: BinaryIO) -> str:
    """Return FFmpeg's demuxer for a file, and leave the file where the recording begins.

    Raises:
        EmptyAudio: The file has no bytes.
        NotAudio: It is of no supported format; the detail names what it is, where that is known.
        UndecodableAudio: It is of a supported format, but nobody could read it.
    """
    start, head = _after_tags(file)
    demuxer, at = _decide(file, start, head)
    file.seek(start + at)
    return demuxer


def _after_tags(file: BinaryIO) -> tuple[int, bytes]:
    """Return where the file begins after its ID3v2 tags, and the bytes from there."""
    start, head = 0, file.read(WINDOW)
    if not head:
        raise EmptyAudio("The file is empty.")
    for _ in range(MAX_ID3_TAGS):
        if not head.startswith(b"ID3") or len(head) < 10:
            break
        start += _id3_size(head)
        file.seek(start)
        head = file.read(WINDOW)
        if not head:
            raise UndecodableAudio(_TAG_ONLY)
    return start, head


def _id3_size(head: bytes) -> int:
    """Return the bytes that an ID3v2 tag takes, its header and footer included."""
    size = 0
    for byte in head[6:10]:
        size = size << 7 | byte & 0x7F
    return 10 + size + (10 if head[5] & 0x10 else 0)


def _decide(file: BinaryIO, start: int, head: bytes) -> tuple[str, int]:
    """Return the demuxer and where in ``head`` the recording begins."""
    whole = len(head) < WINDOW
    if demuxer := _first(MAGIC, head):
        if demuxer == "asf" and any(mark in head for mark in _DRM):
            raise UndecodableAudio("This is a DRM-protected Windows Media file.")
        return demuxer, 0
    _refuse(REFUSED, head)
    if _ATOM.match(head, 4) and _is_quicktime(file, start):
        return "mov", 0
    run = first_run(head, whole)
    if run and run[1] == 0:
        return run
    _refuse(SCRIPTS, head.removeprefix(b"\xef\xbb\xbf").lstrip(), re.IGNORECASE)
    found = [(match.start(), demuxer) for demuxer, pattern in BURIED if (match := re.search(pattern, head, re.DOTALL))]
    if run:
        found.append((run[1], run[0]))
    if not found and start:
        raise UndecodableAudio(_TAG_ONLY)
    if not found and begins_with_header(head):
        raise UndecodableAudio("The file begins with a frame of audio, and nothing that follows fits it.")
    if not found:
        raise NotAudio(_what(head))
    at, demuxer = min(found)
    return demuxer, at


def _first(table: Table, head: bytes, flags: int = 0) -> str | None:
    return next((name for name, pattern in table if re.match(pattern, head, re.DOTALL | flags)), None)


def _refuse(table: Table, head: bytes, flags: int = 0) -> None:
    if what := _first(table, head, flags):
        raise NotAudio(f"This is {what}.")


def _what(head: bytes) -> str | None:
    """Return a sentence about bytes that are no audio, if there is anything to be said."""
    if not head.strip(b"\0"):
        return "The file begins with zeros only: the recording was never written."
    if not re.search(rb"[\0-\x08\x0e-\x1a\x7f]", head[:4096]):
        return "This is text, not a recording."
    return None


def _is_quicktime(file: BinaryIO, start: int) -> bool:
    """Whether the atoms from ``start`` on are those of QuickTime or MP4; their index may come last.

    Raises:
        UndecodableAudio: They are, and the recorder never wrote the index.
    """
    size, at = file.seek(0, io.SEEK_END), start
    seen: list[bytes] = []
    for _ in range(MAX_ATOMS):
        file.seek(at)
        header = file.read(16)
        if len(header) < 8 or not _ATOM.fullmatch(header[4:8]):
            break
        seen.append(header[4:8])
        length = int.from_bytes(header[:4], "big")
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if seen[-1] == b"moov":
            return True
        if length < 8 or at + length > size:
            break
        at += length
    if b"mdat" in seen and (len(seen) > 1 or at > start):
        raise UndecodableAudio(
            "The recording was not finished: this MP4 or QuickTime file has no index (moov). The device that recorded "
            "it may be able to repair it."
        )
    return seen[:1] == [b"ftyp"]
