"""The asset pipeline: bakes the files that people edit into data that loads in microseconds.

`AssetPipeline` reads files from an `AssetSource`, bakes each with the `Processor` of its kind,
keeps the outputs in a bake store, and bakes again only the files that a change makes stale.
"""

from .asset_pipeline import AssetPipeline
from .checker import CheckReport, check_tree, check_trees
from .model.bake_report import BakeProgress, BakeReport, StoreStatistics
from .model.bake_result import OutputChange
from .model.processor import (
    PAGE_BYTES,
    BakeRequest,
    Input,
    Output,
    ProcessContext,
    Processor,
    settings_key,
)
from .processors import (
    ALWAYS_LOADED,
    CellIndex,
    Derivation,
    GridCell,
    ImageFrame,
    ImageHead,
    ImageProcessor,
    JsonProcessor,
    PrefabProcessor,
    RawProcessor,
    WorldEntity,
    WorldHead,
    WorldProcessor,
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
    AssetSource,
    DirectorySource,
    HandleSource,
    MemorySource,
    OverlaySource,
    SourceFile,
    ZipSource,
    arcade_handles,
    package_source,
)
from .store.baked_assets import BakedAsset
from .store.queries import Explanation, InputStatus, OutputStatus
from .watcher import AssetWatcher, ReloadReport
from .world_builder import WorldBuilder

__all__ = [
    "ALWAYS_LOADED",
    "LARGEST_FILE",
    "MOST_FILES",
    "PAGE_BYTES",
    "AssetPipeline",
    "AssetSource",
    "AssetWatcher",
    "BakeProgress",
    "BakeReport",
    "BakeRequest",
    "BakedAsset",
    "CellIndex",
    "CheckReport",
    "Derivation",
    "DirectorySource",
    "Explanation",
    "GridCell",
    "HandleSource",
    "ImageFrame",
    "ImageHead",
    "ImageProcessor",
    "Input",
    "InputStatus",
    "JsonProcessor",
    "MemorySource",
    "Output",
    "OutputChange",
    "OutputStatus",
    "OverlaySource",
    "PackedPart",
    "PackedPrefab",
    "PrefabAssembler",
    "PrefabProcessor",
    "ProcessContext",
    "Processor",
    "RawProcessor",
    "ReloadReport",
    "SourceFile",
    "StoreStatistics",
    "WorldBuilder",
    "WorldEntity",
    "WorldHead",
    "WorldProcessor",
    "ZipSource",
    "arcade_handles",
    "check_tree",
    "check_trees",
    "decode_prefab",
    "encode_prefab",
    "package_source",
    "read_cell",
    "read_data",
    "read_image",
    "read_json",
    "read_world",
    "settings_key",
    "world_id",
]
