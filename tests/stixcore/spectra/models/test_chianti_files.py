"""The tables of SolarSoft are read as OSPEX reads them; what is missing or wrong is named."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from stixcore.errors import CalibrationError, InvalidProduct
from stixcore.spectra.models import chianti_files
from stixcore.spectra.models.chianti_files import read_chianti_files
from stixcore.spectra.models.thermal import AU, EM_UNIT, KEV_PER_MK, thermal

# Saved as the IDL routines setup_chianti_lines and setup_chianti_cont do: hydrogen and iron, whose continuum is
# 1e-20 e^{-E/kT} and 1e-17 e^{-E/kT} photons cm3/s/sr/keV; lines of Fe, Ca and S.
WRITER = """
logt = 6.0d + 0.05d*dindgen(41)
kt = 8.617333262d-8 * 10d^logt
one = {iz:26, wvl:1.85d, int:dblarr(41)}
lines = replicate(one, 3)
lines[1].iz = 20 & lines[1].wvl = 3.18d & lines[2].iz = 16 & lines[2].wvl = 5.04d
for i=0,2 do lines[i].int = (i+1)*1d3*exp(-12.39841984d/lines[i].wvl/kt)
out = {lines:lines, logt_isothermal:logt, logem_isothermal:dblarr(41)+27}
zindex = [0l, 25l]
chianti_doc = {ion_file:'chianti.ioneq', ion_ref:['a', 'b', 'c'], version:'9.0.1'}
save, zindex, out, chianti_doc, file='chianti_lines_test.sav'
wvledge = 0.05d + 0.01d*dindgen(601)
energy = 12.39841984d*2/(wvledge[1:*] + wvledge[0:599])
width = 12.39841984d/wvledge[0:599] - 12.39841984d/wvledge[1:*]
edge_str = {conversion:12.39841984d, wvledge:wvledge, wvl:0*width, wavestep:0*width}
ctemp = 10d^logt
total = dblarr(600, 41, 2)
for t=0,40 do for e=0,1 do total[*,t,e] = 1d-20*10d^(3*e)*width*exp(-energy/kt[t])
totcont_lo = total[0:94,*,*]
totcont = total[95:*,*,*]
save, zindex, totcont, totcont_lo, edge_str, ctemp, chianti_doc, file='chianti_cont_test.sav'
exit
"""


@pytest.fixture
def written(tmp_path):
    """The two files, written by GDL, and a name for the third."""
    (tmp_path / "writer.pro").write_text(WRITER)
    subprocess.run(["gdl", "-quiet", "writer.pro"], cwd=tmp_path, check=True, capture_output=True, timeout=120)
    (tmp_path / "xray_abun_file.genx").write_bytes(b"\0" * 64)
    names = ("chianti_lines_test.sav", "chianti_cont_test.sav", "xray_abun_file.genx")
    return [tmp_path / name for name in names]


@pytest.fixture
def abundances(monkeypatch):
    values = np.zeros(50)
    values[[0, 15, 19, 25]] = 1.0, 1e-5, 1e-5, 1e-4
    entries = {
        "SAVEGEN0": [{"FILNAM": b"sun_coronal", "ABUND": values * 2}, {"FILNAM": "sun_coronal_ext", "ABUND": values}]
    }
    monkeypatch.setattr("sunpy.io.special.genx.read_genx", lambda _: entries)


@pytest.mark.needs_gdl
def test_spectrum_from_the_files(written, abundances):
    table = read_chianti_files(*written)
    assert table.label == "CHIANTI 9.0.1 (chianti_lines_test.sav, chianti_cont_test.sav)"
    edges, temperature = np.arange(3.0, 30.0, 0.01), 17.3
    unit = EM_UNIT / (4 * np.pi * AU**2)
    energy = (edges[1:] + edges[:-1]) / 2
    # 4π (1e-20·1 + 1e-17·1e-4) e^{-E/kT}
    expected = 4 * np.pi * (1e-20 + 1e-21) * np.exp(-energy / (KEV_PER_MK * temperature)) * unit
    flux = thermal(edges, temperature, 1.0, table=table)
    away = (np.abs(energy - 3.9) > 0.1) & (np.abs(energy - 6.7) > 0.1)
    np.testing.assert_allclose(flux[away], expected[away], rtol=2e-3)
    doubled = thermal(edges, temperature, 1.0, table=table, abundance=2.0)
    np.testing.assert_allclose(doubled[away] / flux[away], 12 / 11, rtol=1e-6)
    # 4π·1e3/1e27·1e-4 e^{-E/kT} photons in the line of iron
    iron = 12.39841984 / 1.85
    line = ((flux - expected) * 0.01)[np.abs(energy - iron) < 0.1].sum()
    assert line == pytest.approx(4 * np.pi * 1e-28 * np.exp(-iron / (KEV_PER_MK * temperature)) * unit, rel=1e-2)


@pytest.mark.needs_gdl
def test_files_in_the_wrong_order(written, abundances):
    lines, continuum, abundance = written
    with pytest.raises(InvalidProduct, match="a variable totcont_lo"):
        read_chianti_files(lines, lines, abundance)
    with pytest.raises(InvalidProduct, match="a variable out"):
        read_chianti_files(continuum, continuum, abundance)


@pytest.mark.needs_gdl
def test_damaged_abundances(written):
    with pytest.raises(InvalidProduct, match=r"xray_abun_file.genx: expected abundances named sun_coronal_ext"):
        read_chianti_files(*written)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CalibrationError, match=r"table of lines, chianti_lines_1_10_v71.sav, is missing"):
        read_chianti_files(tmp_path / "chianti_lines_1_10_v71.sav", tmp_path / "b", tmp_path / "c")


def test_a_file_that_is_not_idl(tmp_path):
    for name in "abc":
        (tmp_path / name).write_bytes(b"no IDL file")
    with pytest.raises(InvalidProduct, match="expected"):
        read_chianti_files(*(tmp_path / name for name in "abc"))


def test_readsav_is_asked_for_the_variables_it_needs(tmp_path, monkeypatch):
    monkeypatch.setattr("scipy.io.readsav", lambda _: {"zindex": np.array([0])})
    with pytest.raises(InvalidProduct, match=r"a variable out, found zindex"):
        chianti_files._saved(Path("x.sav"), ("out",))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"zindex": [0, 99]}, "IndexError"),
        ({"zindex": ["iron", "calcium"]}, "ValueError"),
        ({"totcont": np.ones(3)}, "ValueError"),
        ({"ctemp": [0.0, -1.0]}, "not finite"),
        ({"ctemp": {}}, "TypeError"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*encountered in log10")
def test_variables_of_another_kind_name_the_file(tmp_path, abundances, monkeypatch, change, said):
    files = [tmp_path / name for name in ("chianti_lines_x.sav", "chianti_cont_x.sav", "xray_abun_file.genx")]
    for path in files:
        path.write_bytes(b"")
    edges = {"WVLEDGE": [np.array([1.0, 1.1, 1.2])]}
    usual = {"totcont_lo": np.ones((2, 2, 1)), "totcont": np.ones((2, 2, 1)), "zindex": [0, 25], "ctemp": [1e6, 1e7]}
    monkeypatch.setattr(chianti_files, "_saved", lambda *_: usual | {"edge_str": edges} | change)
    with pytest.raises(InvalidProduct, match=rf"chianti_cont_x\.sav: expected a continuum .*{said}"):
        read_chianti_files(*files)
