"""One-dimensional .npy files that grow, to be memory-mapped when they are whole."""

from pathlib import Path

import numpy as np


class Appended:
    """A file that grows; its header leaves room for the length, which is written last."""

    def __init__(self, path: Path, type):
        self.file, self.type, self.count = open(path, "wb"), np.dtype(type), 0
        self._header()

    def append(self, values: np.ndarray) -> None:
        values.astype(self.type, copy=False).tofile(self.file)
        self.count += len(values)

    def close(self) -> None:
        self.file.seek(0)
        self._header()
        self.file.close()

    def _header(self) -> None:
        descr = np.lib.format.dtype_to_descr(self.type)
        header = {"shape": (self.count,), "fortran_order": False, "descr": descr}
        np.lib.format.write_array_header_1_0(self.file, header)
