"""The image classification sets of torchvision that can be used, by their names in lower case: what each consists of.

For each set: its splits, its published files with their md5, and the number of images, since an interrupted
extraction leaves fewer, which torchvision does not check. How they are read: ``torchvision.py``.

Not included are sets without a checksum (FGVCAircraft), without a test split and without a fixed order of files
(SUN397), sets that cannot be downloaded (StanfordCars, FER2013, ImageNet), sets of hundreds of GB (Places365,
iNaturalist), and those that do not classify single images.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_Arguments = Mapping[str, Any]
_TRAIN_TEST: dict[str, _Arguments] = {"train": {"train": True}, "test": {"train": False}}
_SPLITS: dict[str, _Arguments] = {s: {"split": s} for s in ("train", "val", "test")}
_SPLIT_TRAIN_TEST: dict[str, _Arguments] = {s: {"split": s} for s in ("train", "test")}
_WHOLE: dict[str, _Arguments] = {"train": {}}


@dataclass(frozen=True)
class Published:
    """One of torchvision's data sets."""

    name: str  # of torchvision's class
    splits: Mapping[str, _Arguments]  # our name of a split -> arguments of the constructor
    counts: tuple[int, ...]  # images of each split
    num_classes: int
    files: Mapping[str, str]  # published file -> md5
    folder: str = "."  # below the cache; where the files belong
    needs: tuple[str, ...] = field(default=())  # packages beyond torchvision's own

    @property
    def fingerprint(self) -> str:
        """The md5 of its one file, or the SHA-256 over the md5 of all."""
        if len(self.files) == 1:
            return next(iter(self.files.values()))
        return hashlib.sha256(",".join(self.files.values()).encode()).hexdigest()


def _idx(md5: str) -> dict[str, str]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return {f"{name}-ubyte.gz": each for name, each in zip(names, md5.split(), strict=True)}


TORCHVISION: dict[str, Published] = {
    "cifar10": Published(
        "CIFAR10", _TRAIN_TEST, (50_000, 10_000), 10, {"cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a"}
    ),
    "cifar100": Published(
        "CIFAR100", _TRAIN_TEST, (50_000, 10_000), 100, {"cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85"}
    ),
    "mnist": Published(
        "MNIST",
        _TRAIN_TEST,
        (60_000, 10_000),
        10,
        _idx(
            "f68b3c2dcbeaaa9fbdd348bbdeb94873 d53e105ee54ea40749a09fcbcd1e9432 "
            "9fb629c4189551a2d022fa330f9573f3 ec29112dd5afa0611ce80d1b7f02629c"
        ),
        "MNIST/raw",
    ),
    "fashionmnist": Published(
        "FashionMNIST",
        _TRAIN_TEST,
        (60_000, 10_000),
        10,
        _idx(
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d 25c81989df183df01b3e8a0aad5dffbe "
            "bef4ecab320f06d8554ea6380940ec79 bb300cfdad3c16e7a12a480ee83cd310"
        ),
        "FashionMNIST/raw",
    ),
    "kmnist": Published(
        "KMNIST",
        _TRAIN_TEST,
        (60_000, 10_000),
        10,
        _idx(
            "bdb82020997e1d708af4cf47b453dcf7 e144d726b3acfaa3e44228e80efcd344 "
            "5c965bf0a639b31b8f53240b1b52f4d7 7320c461ea6c1c855c0b718fb2a4b134"
        ),
        "KMNIST/raw",
    ),
    "emnist-balanced": Published(
        "EMNIST",
        {s: {"split": "balanced", **a} for s, a in _TRAIN_TEST.items()},
        (112_800, 18_800),
        47,
        {"gzip.zip": "58c8d27c78d21e728a6bc7b3cc06412e"},
        "EMNIST/raw",
    ),
    "usps": Published(
        "USPS",
        _TRAIN_TEST,
        (7_291, 2_007),
        10,
        {"usps.bz2": "ec16c51db3855ca6c91edd34d0e9b197", "usps.t.bz2": "8ea070ee2aca1ac39742fdd1ef5ed118"},
    ),
    "semeion": Published("SEMEION", _WHOLE, (1_593,), 10, {"semeion.data": "cb545d371d2ce14ec121470795a77432"}),
    "svhn": Published(
        "SVHN",
        _SPLIT_TRAIN_TEST,
        (73_257, 26_032),
        10,
        {"train_32x32.mat": "e26dedcc434d2e4c54c9b2d4a06d8373", "test_32x32.mat": "eb5a983be6a315427106f1b164d9cef3"},
    ),
    "stl10": Published(
        "STL10", _SPLIT_TRAIN_TEST, (5_000, 8_000), 10, {"stl10_binary.tar.gz": "91f7769df0f17e558f3565bffb0c7dfb"}
    ),
    "eurosat": Published(
        "EuroSAT", _WHOLE, (27_000,), 10, {"EuroSAT.zip": "c8fa014336c82ac7804f0398fcb19387"}, "eurosat"
    ),
    "pcam": Published(
        "PCAM",
        _SPLITS,
        (262_144, 32_768, 32_768),
        2,
        {
            "camelyonpatch_level_2_split_train_x.h5.gz": "1571f514728f59376b705fc836ff4b63",
            "camelyonpatch_level_2_split_train_y.h5.gz": "35c2d7259d906cfc8143347bb8e05be7",
            "camelyonpatch_level_2_split_test_x.h5.gz": "d8c2d60d490dbd479f8199bdfa0cf6ec",
            "camelyonpatch_level_2_split_test_y.h5.gz": "60a7035772fbdb7f34eb86d4420cf66a",
            "camelyonpatch_level_2_split_valid_x.h5.gz": "d5b63470df7cfa627aeec8b9dc0c066e",
            "camelyonpatch_level_2_split_valid_y.h5.gz": "2b85f58b927af9964a4c15b8f7e8f179",
        },
        "pcam",
        ("h5py", "gdown"),
    ),
    "flowers102": Published(
        "Flowers102",
        _SPLITS,
        (1_020, 1_020, 6_149),
        102,
        {
            "102flowers.tgz": "52808999861908f626f3c1f4e79d11fa",
            "imagelabels.mat": "e0620be6f572b9609742df49c70aed4d",
            "setid.mat": "a5357ecc9cb78c4bef273ce3793fc85c",
        },
        "flowers-102",
    ),
    "dtd": Published(
        "DTD", _SPLITS, (1_880, 1_880, 1_880), 47, {"dtd-r1.0.1.tar.gz": "fff73e5086ae6bdbea199a49dfb8a4c1"}, "dtd"
    ),
    "food101": Published(
        "Food101", _SPLIT_TRAIN_TEST, (75_750, 25_250), 101, {"food-101.tar.gz": "85eeb15f3717b99a5da872d97d918f87"}
    ),
    "gtsrb": Published(
        "GTSRB",
        _SPLIT_TRAIN_TEST,
        (26_640, 12_630),
        43,
        {
            "GTSRB-Training_fixed.zip": "513f3c79a4c5141765e10e952eaa2478",
            "GTSRB_Final_Test_Images.zip": "c7e4e6327067d32654124b0fe9e82185",
            "GTSRB_Final_Test_GT.zip": "fe31e9c9270bbcd7b84b7f21a9d9d9e5",
        },
        "gtsrb",
    ),
    "oxfordiiitpet": Published(
        "OxfordIIITPet",
        {"train": {"split": "trainval"}, "test": {"split": "test"}},
        (3_680, 3_669),
        37,
        {"images.tar.gz": "5c4f3ee8e5d25df40f4fd59a7f44e54c", "annotations.tar.gz": "95a8c909bbe2e81eed6a22bccdf3f68f"},
        "oxford-iiit-pet",
    ),
    "country211": Published(
        "Country211",
        {"train": {"split": "train"}, "val": {"split": "valid"}, "test": {"split": "test"}},
        (31_650, 10_550, 21_100),
        211,
        {"country211.tgz": "84988d7644798601126c29e9877aab6a"},
    ),
    "imagenette": Published(
        "Imagenette",
        {"train": {"split": "train", "size": "160px"}, "test": {"split": "val", "size": "160px"}},
        (9_469, 3_925),
        10,
        {"imagenette2-160.tgz": "e793b78cc4c9e9a4ccc0c1155377a412"},
    ),
    "renderedsst2": Published(
        "RenderedSST2", _SPLITS, (6_920, 872, 1_821), 2, {"rendered-sst2.tgz": "2384d08e9dcfa4bd55b324e610496ee5"}
    ),
    "caltech101": Published(
        "Caltech101", _WHOLE, (8_677,), 101, {"caltech-101.zip": "3138e1922a9193bfa496528edbbc45d0"}, "caltech101"
    ),
    "caltech256": Published(
        "Caltech256",
        _WHOLE,
        (30_607,),
        257,
        {"256_ObjectCategories.tar": "67b4f42ca05d46448c6bb8ecd2220f6d"},
        "caltech256",
    ),
}
