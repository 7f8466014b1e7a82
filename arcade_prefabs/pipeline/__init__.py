"""The asset pipeline: a folder that people edit becomes data that loads in microseconds.

`AssetPipeline` bakes the files of a `Source` with a `Processor` for each kind, keeps what came out
in a bake store, and bakes again exactly what has to be when something changes.
"""

from .asset_pipeline import AssetPipeline
from .checker import CheckReport, check_tree, check_trees
from .model.bake_report import BakeReport, Progress, Statistics
from .model.bake_result import Change
from .model.processor import PAGE_BYTES, Input, Job, Output, Processor, Wish, variant_of
from .processors import (
    Cell,
    CellIndex,
    Derivation,
    ImageFrame,
    ImageHead,
    ImageProcessor,
    JsonProcessor,
    PrefabProcessor,
    RawProcessor,
    WorldEntity,
    WorldHead,
    WorldProcessor,
    cell_label,
    read_cell,
    read_data,
    read_image,
    read_json,
    read_world,
    world_id,
)
from .processors.prefab_pages import (
    PackedPart,
    PackedPrefab,
    PrefabAssembler,
    decode_prefab,
    encode_prefab,
)
from .sources import (
    LARGEST_FILE,
    MOST_FILES,
    DirectorySource,
    HandleSource,
    MemorySource,
    OverlaySource,
    PackageSource,
    Source,
    SourceFile,
    ZipSource,
    arcade_handles,
)
from .store.baked_assets import BakedAsset
from .store.queries import Explanation, InputNow, OutputNow
from .watcher import AssetWatcher, Reload
from .world_builder import WorldBuilder

__all__ = [
    "LARGEST_FILE",
    "MOST_FILES",
    "PAGE_BYTES",
    "AssetPipeline",
    "AssetWatcher",
    "BakeReport",
    "BakedAsset",
    "Cell",
    "CellIndex",
    "Change",
    "CheckReport",
    "Derivation",
    "DirectorySource",
    "Explanation",
    "HandleSource",
    "ImageFrame",
    "ImageHead",
    "ImageProcessor",
    "Input",
    "InputNow",
    "Job",
    "JsonProcessor",
    "MemorySource",
    "Output",
    "OutputNow",
    "OverlaySource",
    "PackageSource",
    "PackedPart",
    "PackedPrefab",
    "PrefabAssembler",
    "PrefabProcessor",
    "Processor",
    "Progress",
    "RawProcessor",
    "Reload",
    "Source",
    "SourceFile",
    "Statistics",
    "Wish",
    "WorldBuilder",
    "WorldEntity",
    "WorldHead",
    "WorldProcessor",
    "ZipSource",
    "arcade_handles",
    "cell_label",
    "check_tree",
    "check_trees",
    "decode_prefab",
    "encode_prefab",
    "read_cell",
    "read_data",
    "read_image",
    "read_json",
    "read_world",
    "variant_of",
    "world_id",
]
