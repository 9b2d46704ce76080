"""Write draws block by block into Zarr arrays that carry checksums, and find what is damaged."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from finetti.posterior.ordering import ORDER
from finetti.store.written import sync

if TYPE_CHECKING:
    import xarray as xr

LEADING = ("chain", "draw")
PASSING = ("interrupted", "draws_wanted")  # attributes of a run that may go on


@dataclass(frozen=True)
class Arrays:
    """Hold the Zarr store at a path whose draws are chunks of `block` draws of all chains.

    `held` are the arrays that are being written, by group and name.
    """

    path: Path
    block: int
    held: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False, compare=False)

    def write(self, group: str, rows: xr.Dataset, first: int) -> list[Path]:
        """Write a block of rows, draws number `first` and on; return the files to be synced.

        A block that is not whole is written again when it is. Arrays that are not there yet are
        made.
        """
        import zarr

        written = []
        drawn = {str(n): a for n, a in rows.data_vars.items() if a.dims[:2] == LEADING}
        # A chunk that is written whatever is in it is missed when it is gone.
        with quietly(), zarr.config.set({"array.write_empty_chunks": True}):
            if not all((group, name) in self.held for name in drawn):
                self._hold(group, rows, drawn)
            for name, array in drawn.items():
                values, here = array.to_numpy(), self.held[group, name]
                padded = np.zeros((len(values), self.block, *values.shape[2:]), values.dtype)
                padded[:, : values.shape[1]] = values
                if here.shape[1] < first + self.block:
                    length = max(first + self.block, here.shape[1] + self._grown(here.shape[1]))
                    here.resize((here.shape[0], length, *here.shape[2:]))
                if padded.size:
                    here[:, first : first + self.block] = padded
                    written.append(self._chunk(group, name, first // self.block, here.ndim))
        return written

    def _grown(self, length: int) -> int:
        """Return by how much more an array grows, in whole blocks."""
        return -(-length // (2 * self.block)) * self.block

    def _hold(self, group: str, rows: xr.Dataset, drawn: dict[str, xr.DataArray]) -> None:
        """Open the arrays of all that is drawn, or make them where they are not all there."""
        held = self._group(group, "a")
        order = held.attrs.get(ORDER, [])
        if not all(name in order and name in held for name in drawn):
            self._begin(group, rows, drawn, [name for name in order if name not in drawn])
            held = self._group(group)
        self.held.update({(group, name): held[name] for name in drawn})

    def _begin(
        self, group: str, rows: xr.Dataset, drawn: dict[str, xr.DataArray], before: list[str]
    ) -> None:
        """Make the group with its coordinates, and an empty array for all that is drawn."""
        from zarr.codecs import BytesCodec, Crc32cCodec

        self.put(group, rows.drop_vars([*drawn, "draw"], errors="ignore"), mode="a")
        held = self._group(group)
        for name, array in drawn.items():
            chains, rest = array.shape[0], array.shape[2:]
            held.create_array(
                name,
                shape=(chains, self.block, *rest),
                chunks=(chains, self.block, *(max(n, 1) for n in rest)),
                dtype=array.dtype,
                serializer=BytesCodec(endian="little"),
                compressors=(Crc32cCodec(),),  # draws hardly compress
                dimension_names=[str(dim) for dim in array.dims],
                overwrite=True,
            )
        held.update_attributes({ORDER: [*before, *drawn]})

    def put(self, group: str, found: xr.Dataset, mode: Literal["w", "a"] = "w") -> None:
        """Write a whole group that does not grow, in the place of what it had."""
        import zarr
        from zarr.codecs import Crc32cCodec

        ordered = found.assign_attrs({ORDER: [str(name) for name in found.data_vars]})
        plain = [str(n) for n, a in found.variables.items() if a.dtype.kind in "biuf"]
        checked = {name: {"compressors": (Crc32cCodec(),)} for name in plain if mode == "w"}
        with quietly(), zarr.config.set({"array.write_empty_chunks": True}):
            ordered.to_zarr(
                self.path,
                group=group,
                mode=mode,
                zarr_format=3,
                consolidated=False,
                encoding=checked,
            )

    def damaged(self, groups: tuple[str, ...], draws: int) -> Iterator[tuple[str, int]]:
        """Yield what is damaged or gone of so many draws: the array, and the first draw's number.

        Every chunk is read, and its checksum compared. Where it is what describes a group that
        cannot be read the group is named, and draw 0.
        """
        with quietly():
            for group in groups:
                try:
                    arrays = self.drawn(group)
                    order = self._group(group, "r").attrs.asdict().get(ORDER, [])
                    self._read_coordinates(group)
                except Exception:  # noqa: BLE001 - damaged metadata make readers raise anything
                    yield group, 0
                    continue
                for name in set(order) - {name for name, _ in arrays}:
                    yield f"{group}/{name}", 0
                for name, array in arrays:
                    for first in range(0, draws, self.block):
                        if not self._sound(group, name, array, first):
                            yield f"{group}/{name}", first
                            break

    def _read_coordinates(self, group: str) -> None:
        """Read what does not grow in a group that does; raises whatever comes where it cannot."""
        drawn = {name for name, _ in self.drawn(group)}
        for name, array in self._group(group).arrays():
            if name not in drawn and name != "draw":
                _ = array[...]
                if array.nchunks_initialized < array.nchunks:
                    raise ValueError(f"a chunk of {name} is gone")

    def _sound(self, group: str, name: str, array: Any, first: int) -> bool:
        # An array of no numbers has no chunks to be damaged.
        if not all(array.chunks):
            return True
        if not self._chunk(group, name, first // self.block, array.ndim).is_file():
            return array.size == 0
        try:
            _ = array[:, first : first + self.block]
        except Exception:  # noqa: BLE001 - damaged bytes make codecs raise anything
            return False
        return True

    def read(self, group: str, name: str, draws: int) -> np.ndarray:
        """Return the first draws of an array."""
        with quietly():
            return np.asarray(self._group(group)[name][:, :draws])

    def close(self, groups: tuple[str, ...], draws: int, attributes: dict[str, Any]) -> None:
        """Cut every array to so many draws, so that any reader of Zarr sees those alone."""
        import zarr

        self.held.clear()
        with quietly():
            for group in groups:
                for _, array in self.drawn(group):
                    array.resize((array.shape[0], draws, *array.shape[2:]))
                self._group(group).create_array(
                    "draw", data=np.arange(draws), dimension_names=["draw"], overwrite=True
                )
            self.describe(attributes)
            zarr.consolidate_metadata(self.path)

    def describe(self, attributes: dict[str, Any]) -> None:
        """Set the attributes of the run, for which readers look in two places."""
        with quietly():
            root: Any = self._root()
            for place in (root, *([root["posterior"]] if "posterior" in root else [])):
                kept = {n: v for n, v in place.attrs.asdict().items() if n not in PASSING}
                place.attrs.put({**kept, **attributes})

    def _root(self) -> Any:
        """Return the group that holds all others, made again where it is damaged."""
        import zarr

        try:
            return zarr.open_group(self.path, mode="r+", use_consolidated=False)
        except Exception:  # noqa: BLE001 - damaged metadata make readers raise anything
            (self.path / "zarr.json").unlink(missing_ok=True)
            return zarr.open_group(self.path, mode="a", zarr_format=3, use_consolidated=False)

    def coordinate(self, group: str, dim: str) -> Any | None:
        """Return the labels of a dimension of a group, None where it has none."""
        return self._group(group, "r").get(dim)

    def drawn(self, group: str) -> list[tuple[str, Any]]:
        """Return the arrays of a group that grow with the draws."""
        found = self._group(group).arrays()
        return [(n, a) for n, a in found if tuple(a.metadata.dimension_names or ())[:2] == LEADING]

    def _group(self, name: str, mode: Literal["r", "r+", "a"] = "r+") -> Any:
        import zarr

        return zarr.open_group(self.path, path=name, mode=mode, use_consolidated=False)

    def _chunk(self, group: str, name: str, number: int, ndim: int) -> Path:
        place = ("c", "0", str(number), *["0"] * (ndim - 2))
        return self.path.joinpath(group, name, *place)


@contextmanager
def quietly() -> Iterator[None]:
    """Keep to itself what zarr says of a standard in the making, and of finetti's own files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def synced(files: list[Path]) -> None:
    """Have chunks reach the disk."""
    for file in files:
        if file.is_file():
            sync(file)
