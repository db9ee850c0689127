"""What our own pre-training says of a start: which data was proxy, and whose."""

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path

from data_prep.store.reader import PreparedDataset
from fed_pretrain.starts import quality, schemes
from fed_pretrain.starts.formats import detect
from fed_pretrain.starts.origins import origin
from fed_pretrain.starts.start_config import StartConfig
from groundwork import from_json
from groundwork.errors import UserError
from groundwork.untyped import Json

GROUP = "proxy_client_ids"
"""Where pre-training writes its group of clients, in the JSON file beside its result."""


@dataclasses.dataclass(frozen=True)
class ProxyPretraining:
    """`client_ids` is None where every client of the proxy dataset was proxy."""

    proxy: Mapping[str, Json]
    client_ids: frozenset[str] | None

    def is_of(self, dataset: PreparedDataset) -> bool:
        return bool(self.proxy["dataset_fingerprint"] == dataset.fingerprint)

    def sentence(self, dataset: PreparedDataset, left_out: Collection[str]) -> str:
        """What a reader must know of the proxy data to believe this run's evaluation."""
        proxy = self.proxy
        rows = proxy["rows"] + proxy["validation_rows"]
        told = (
            f"pre-trained on proxy data of task {proxy['task']}: {rows:,} rows of "
            f"{proxy['clients']:,} of {proxy['clients_of']:,} clients, split {proxy['split']} only"
        )
        if self.is_of(dataset):
            gone = self.client_ids is not None and self.client_ids <= frozenset(left_out)
            part = "are left out of this run" if gone else "take part in this run as well"
            return f"{told}; these clients {part}; no client's evaluation data was in it"
        if proxy.get("source") != source_of(dataset):
            return f"{told}; it is another source's data, so no client's evaluation data was in it"
        if proxy.get("split_rule") == split_rule(dataset) == "source":
            return f"{told}, as the source splits it; no client's evaluation data was in it"
        return (
            f"{told}; it was prepared from this run's own source with another split, so evaluation "
            "examples of this run may have been in it"
        )


def source_of(dataset: PreparedDataset) -> list[str]:
    """The same for every dataset prepared from the same input."""
    source = dataset.manifest.source
    return [str(source["name"]), str(source["fingerprint"])]


def split_rule(dataset: PreparedDataset) -> str:
    return str(dataset.manifest.partition["splits"]["rule"])


def pretrainings(start: StartConfig) -> list[ProxyPretraining]:
    """Those of the start and of what is blended into it; none for weights from elsewhere."""
    specs = [start.spec]
    if start.blend is not None:
        specs.append(quality.parse_blend(start.blend)[0])
    files = [file for spec in specs if (file := _beside(spec)) is not None]
    return [_read(file) for file in files if file.is_file()]


def _beside(spec: str) -> Path | None:
    if schemes.scheme_of(spec) is not None:
        return None
    kind, value = origin.parse(spec)
    return Path(f"{detect.detect(value)[1]}.json") if kind == "checkpoint" else None


def _read(path: Path) -> ProxyPretraining:
    try:
        content = from_json.record(path)
        ids = content[GROUP]
        return ProxyPretraining(content["proxy"], None if ids is None else frozenset(ids))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path}: is not what pre-training writes beside its result ({error})"
        ) from error
