"""``stix-jobs validate``: what it prints, and its exit status."""

import json

import numpy as np
from astropy.io import fits

from jobs.cli.parser import main


def _map(path, **keywords):
    hdu = fits.PrimaryHDU(np.ones((4, 4), np.float32))
    for key, value in keywords.items():
        hdu.header[key] = value
    hdu.writeto(path)
    return str(path)


def test_findings_are_printed_with_their_keyword_and_value(tmp_path, capsys):
    assert main(["validate", _map(tmp_path / "map.fits", CTYPE1="solar_x", OBS_ID="obs_id")]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("map.fits: ")
    assert any("error" in line and "HDU 0" in line and "CTYPE1 = 'solar_x'" in line for line in printed)
    assert any("note" in line and "OBS_ID = 'obs_id'" in line for line in printed)


def test_errors_only(tmp_path, capsys):
    main(["validate", "--errors-only", _map(tmp_path / "map.fits")])
    first, *lines = capsys.readouterr().out.splitlines()
    assert "warnings" in first
    assert lines
    assert all(line.startswith("  error") for line in lines)


def test_json_has_every_file_and_unreadable_ones_are_status_2(tmp_path, capsys):
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  = nonsense")
    names = [_map(tmp_path / "map.fits"), str(tmp_path / "broken.fits"), str(tmp_path / "absent.fits")]
    assert main(["validate", "--json", *names]) == 2
    good, broken, absent = json.loads(capsys.readouterr().out)
    assert [one["file"] for one in (good, broken, absent)] == names
    assert (good["readable"], broken["readable"], absent["readable"]) == (True, False, False)
    assert {"level", "hdu", "keyword", "value", "text"} == set(good["findings"][0])
    assert "no such file" in absent["problem"]
    assert main(["validate", *names[1:]]) == 2
    assert "broken.fits: expected" in capsys.readouterr().err
