"""Put pseudonyms in the place of personal keys and labels, before a row reaches the lake."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from segmentation.privacy.keyed_hash import pseudonym


def pseudonymised(rows: pa.Table, columns: Iterable[str], key: bytes | None) -> pa.Table:
    """Return rows whose personal columns hold pseudonyms; a null stays null.

    Parameters
    ----------
    rows : pyarrow.Table
        Rows as the source has them.
    columns : iterable of str
        Personal columns, of text; those that the rows lack are passed over.
    key : bytes or None
        The privacy key; None if there are no such columns.
    """
    for name in columns:
        if key is not None and name in rows.column_names:
            encoded = rows[name].combine_chunks().dictionary_encode()
            # each value once: a clickstream has far more rows than customers and sessions
            replaced = [pseudonym(key, name, value) for value in encoded.dictionary.to_pylist()]
            place = rows.column_names.index(name)
            column = pc.take(pa.array(replaced, pa.string()), encoded.indices)
            rows = rows.set_column(place, rows.schema.field(name), column)
    return rows
