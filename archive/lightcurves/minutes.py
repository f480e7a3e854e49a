"""One-minute means, minima and maxima of the light curves, for plots of long time ranges."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from archive.index.series import BANDS, COUNTS, LIGHT_CURVE_MINUTES

MINUTE_US = 60_000_000


def minutes_of(rows: pa.Table) -> pa.Table:
    """Combine bins into minutes.

    Parameters
    ----------
    rows : pa.Table
        Of table ``lightcurves``, sorted by ``simulated`` and ``time``.

    Returns
    -------
    pa.Table
        Of table ``lightcurve_minutes``, sorted alike. A minute without bins has no row.
    """
    schema = LIGHT_CURVE_MINUTES.arrow
    if rows.num_rows == 0:
        return schema.empty_table()
    time = rows["time"].to_numpy().astype("datetime64[us]").astype(np.int64)
    simulated = rows["simulated"].to_numpy()
    minute = time // MINUTE_US
    # first row of every minute; simulated minutes are separate
    first = np.flatnonzero(np.concatenate([[True], (np.diff(minute) != 0) | (np.diff(simulated.astype(int)) != 0)]))
    duration = rows["duration_s"].to_numpy()
    seconds = np.add.reduceat(duration, first)
    columns: dict[str, np.ndarray] = {
        "time": (minute[first] * MINUTE_US).astype("datetime64[us]"),
        "seconds": seconds,
        "rcr": np.maximum.reduceat(rows["rcr"].to_numpy(), first),
        "simulated": simulated[first],
    }
    for name, column in zip((*BANDS, "triggers"), (*COUNTS, "triggers"), strict=True):
        counts = rows[column].to_numpy()
        rate = counts / duration
        columns[f"mean_{name}"] = np.add.reduceat(counts, first) / seconds
        columns[f"min_{name}"] = np.minimum.reduceat(rate, first)
        columns[f"max_{name}"] = np.maximum.reduceat(rate, first)
    return pa.Table.from_arrays([pa.array(columns[f.name], type=f.type) for f in schema], schema=schema)
