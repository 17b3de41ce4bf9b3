"""The six audio-visual eye-tracking databases of the paper, as a table in reading order."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Database:
    """One eye-tracking database.

    Attributes:
      name: its name in the paper's tables.
      folder: its folder in the raw layout.
      same_test_list_in_every_split: whether it has one list of test films instead of three, named without a number.
    """

    name: str
    folder: str
    same_test_list_in_every_split: bool = False


# In the order of the original's loaders, which batches without a shuffle follow.
DATABASES: dict[str, Database] = {
    database.folder: database
    for database in (
        Database("DIEM", "DIEM", same_test_list_in_every_split=True),
        Database("Coutrot1", "Coutrot_db1"),
        Database("Coutrot2", "Coutrot_db2"),
        Database("SumMe", "SumMe"),
        Database("ETMD", "ETMD_av"),
        Database("AVAD", "AVAD"),
    )
}


def in_reading_order(folders: list[str]) -> list[str]:
    """Sorts folders: first the paper's databases in the order of the table, then the others by name."""
    known = list(DATABASES)
    return sorted(folders, key=lambda folder: (known.index(folder) if folder in known else len(known), folder))


def has_one_test_list(folder: str) -> bool:
    """Returns whether the database in this folder has one list of test films for all splits."""
    return folder in DATABASES and DATABASES[folder].same_test_list_in_every_split
